import numpy as np
import pytest

from ajahr.inference.tracks import Tracker


def box(x, y, width=40, height=80):
    return [x, y, x + width, y + height]


def run(tracker, frames):
    return [tracker.update(frame, np.array(b, np.float32).reshape(-1, 4)).tolist() for frame, b in frames]


def test_two_people_keep_their_numbers_in_any_order():
    frames = []
    for t in range(20):
        people = [box(10 + 4 * t, 50), box(300 - 4 * t, 60)]
        frames.append((t, people if t % 2 else people[::-1]))
    found = run(Tracker(), frames)
    assert found == [[0, 1] if t % 2 == 0 else [1, 0] for t in range(20)]


def test_people_who_pass_each_other_keep_their_numbers():
    # they walk towards each other on tracks a third of a body apart; at the middle their boxes nearly agree
    frames = [(t, [box(10 * t, 50), box(200 - 10 * t, 78)]) for t in range(21)]
    assert all(numbers == [0, 1] for numbers in run(Tracker(), frames))


@pytest.mark.parametrize("gap, same", [(5, True), (6, False)])
def test_a_person_may_be_out_of_sight_for_a_while(gap, same):
    frames = [(t, [box(6 * t, 50)]) for t in range(10)]
    later = 9 + gap + 1
    frames.append((later, [box(6 * later, 50)]))
    assert (run(Tracker(max_gap=5), frames)[-1] == [0]) is same


def test_a_small_fast_person_is_followed():
    frames = [(t, [box(7 * t, 50, 8, 16)]) for t in range(15)]
    assert all(numbers == [0] for numbers in run(Tracker(), frames))


def test_new_people_get_new_numbers_and_nobody_is_fine():
    found = run(Tracker(), [(0, []), (1, [box(0, 0)]), (2, []), (3, [box(500, 0), box(0, 0)])])
    assert found == [[], [0], [], [1, 0]]
