"""`ajahr-synth report`: one page, one line, one clear error."""

from fake_dataset import write_dataset

from synth.cli.main import main


def test_the_page_goes_into_the_dataset_or_where_it_is_wanted(tmp_path, capsys):
    write_dataset(tmp_path / "set")
    assert main(["report", str(tmp_path / "set"), "--per_class", "1", "--pictures", "2"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "set" / "report.html")
    assert (
        main(["report", str(tmp_path / "set"), "--out", str(tmp_path / "page.html"), "--pictures", "2"]) == 0
    )
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_no_dataset_and_no_folder_for_the_page_are_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no dataset here" in capsys.readouterr().err
    write_dataset(tmp_path / "set")
    assert main(["report", str(tmp_path / "set"), "--out", str(tmp_path / "none" / "page.html")]) == 2
    assert "choose another folder" in capsys.readouterr().err.splitlines()[-1]
