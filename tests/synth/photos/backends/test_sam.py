import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry
from tiny_models import save_sam, tiny_sam

from ajahr.data.readers.people import PersonAnnotation
from ajahr.errors import MissingAsset, UserError
from synth.photos.backends.sam import SamSegmenter, build_sam, choose_mask, edge_points

BOX = np.array([20.0, 10.0, 40.0, 50.0])


def rectangle(x0, y0, x1, y1) -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[y0:y1, x0:x1] = True
    return mask


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_sam(tmp_path_factory.mktemp("sam") / "sam.pth")


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_the_published_sizes_are_read_from_their_shapes(name):
    with torch.device("meta"):  # shapes without numbers
        published = sam_model_registry[name]()
        ours = build_sam(published.state_dict())
    ours.load_state_dict(published.state_dict(), assign=True)
    windows = [[block.window_size for block in model.image_encoder.blocks] for model in (published, ours)]
    heads = [[block.attn.num_heads for block in model.image_encoder.blocks] for model in (published, ours)]
    assert windows[0] == windows[1] and heads[0] == heads[1]
    assert ours.image_encoder.img_size == 1024 and ours.prompt_encoder.input_image_size == (1024, 1024)
    assert ours.mask_decoder.num_mask_tokens == 4


def test_same_masks_as_the_package_itself(weights, monkeypatch):
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    predictor = SamPredictor(tiny_sam())
    predictor.set_image(image)
    masks, scores, _ = predictor.predict(
        point_coords=edge_points(BOX), point_labels=np.ones(4), box=BOX, multimask_output=True
    )
    seen = {}

    def spy(masks, scores, box):
        seen.update(masks=masks, scores=scores, box=box)
        return rectangle(20, 10, 40, 50)

    monkeypatch.setattr("synth.photos.backends.sam.choose_mask", spy)
    found = SamSegmenter(weights)(image, PersonAnnotation(BOX.astype(np.float32)))
    assert found.sum() == 800
    assert (seen["masks"] == masks).all() and np.allclose(seen["scores"], scores)
    assert seen["masks"].shape == (3, 60, 80)


def test_a_picture_is_encoded_once_for_all_its_people(weights, monkeypatch):
    calls = []
    original = SamPredictor.set_image
    monkeypatch.setattr(SamPredictor, "set_image", lambda self, *a: (calls.append(1), original(self, *a)))
    segmenter = SamSegmenter(weights)
    first, second = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80, 3), np.uint8)
    for image in (first, first, second):
        mask = segmenter(image, PersonAnnotation(BOX.astype(np.float32)))
        assert mask.shape == (60, 80) and mask.dtype == bool
    assert len(calls) == 2


def test_crowds_and_hopeless_masks_go_to_the_fallback(weights, monkeypatch):
    asked = []

    def fallback(image, person):
        asked.append(person.crowd)
        return rectangle(0, 0, 2, 2)

    segmenter = SamSegmenter(weights, fallback=fallback)
    monkeypatch.setattr("synth.photos.backends.sam.choose_mask", lambda *_: None)
    image = np.zeros((60, 80, 3), np.uint8)
    for crowd in (True, False):
        assert segmenter(image, PersonAnnotation(BOX.astype(np.float32), crowd=crowd)).sum() == 4
    assert asked == [True, False]


def test_points_lie_at_the_four_edges():
    assert edge_points(BOX).tolist() == [[30, 12], [30, 48], [21, 30], [39, 30]]


def test_choice_by_score_and_overlap():
    whole, half, wall = rectangle(20, 10, 40, 50), rectangle(20, 10, 40, 30), rectangle(0, 0, 80, 60)

    def chosen(masks, scores):
        found = choose_mask(np.stack(masks), np.array(scores, np.float32), BOX)
        return None if found is None else int(found.sum())

    assert chosen([half, whole, wall], [0.9, 0.9, 0.9]) == whole.sum()
    assert chosen([half, whole, wall], [0.9, 0.3, 0.0]) == half.sum(), "a much surer one wins"
    assert chosen([wall, rectangle(19, 9, 41, 51)], [0.95, 0.9]) == 22 * 42
    assert chosen([rectangle(22, 12, 26, 18)], [1.0]) is None, "a hand is not the person"
    assert chosen([np.zeros_like(whole)], [1.0]) is None
    assert chosen([rectangle(60, 0, 80, 60)], [1.0]) is None
    # a limb of the same mask far outside the box is cut off
    assert chosen([whole | rectangle(60, 0, 70, 5)], [1.0]) == whole.sum()


def test_not_a_checkpoint(tmp_path):
    with pytest.raises(
        MissingAsset, match=r"segmenter_weights is not set.*sam_vit_h_4b8939\.pth.*segment-anything"
    ):
        SamSegmenter(None)
    (tmp_path / "a.pth").write_bytes(b"text")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "b.pth")
    torch.save(tiny_sam(), tmp_path / "c.pth")  # a pickled module is refused, not run
    state = tiny_sam().state_dict()
    del state["mask_decoder.iou_token.weight"]
    torch.save(state, tmp_path / "d.pth")
    for name in "abcd":
        with pytest.raises(UserError, match=rf"{name}\.pth: not a segment-anything checkpoint"):
            SamSegmenter(tmp_path / f"{name}.pth")
