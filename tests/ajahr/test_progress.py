"""Progress in a log file and in silence."""

import io

from rich.console import Console

from ajahr.progress import Progress


def lines(**options) -> tuple[Progress, io.StringIO]:
    text = io.StringIO()
    return Progress(Console(file=text, width=120), **options), text


def test_a_log_gets_a_line_at_the_start_and_at_the_end():
    progress, text = lines()
    with progress.bar("pictures", 3) as tick:
        for _ in range(3):
            tick()
    first, last = text.getvalue().splitlines()
    assert first == "pictures: 3"
    assert last.startswith("pictures: 3/3, ") and last.endswith("0 s left")


def test_long_work_says_how_long_it_will_take_on_the_way():
    progress, text = lines(log_seconds=0.0)
    with progress.bar("pictures", 100) as tick:
        for _ in range(10):
            tick()
    assert "pictures: 10/100" in text.getvalue()


def test_nothing_to_do_and_quiet_say_nothing():
    progress, text = lines()
    with progress.bar("pictures", 0) as tick:
        tick()
    quiet, silent = lines(quiet=True)
    quiet.note("hello")
    with quiet.bar("pictures", 2) as tick:
        tick()
    assert text.getvalue() == silent.getvalue() == ""


def test_a_terminal_gets_a_bar_with_a_rate():
    text = io.StringIO()
    progress = Progress(Console(file=text, force_terminal=True, width=120))
    with progress.bar("pictures", 2) as tick:
        tick()
        tick()
    assert "2/2" in text.getvalue() and "/s" in text.getvalue()


def test_lines_of_a_step_of_unknown_length():
    text = io.StringIO()
    with Progress(Console(file=text, width=200), log_seconds=0).bar("frames", None) as tick:
        for _ in range(6):
            tick()
    lines = text.getvalue().splitlines()
    assert lines[0] == "frames" and lines[-1].startswith("frames: 6, ") and lines[-1].endswith("/s")
