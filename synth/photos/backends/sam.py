"""A person's pixels by segment-anything, prompted as the paper does (AJAHR supplementary A)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.data.readers.people import PersonAnnotation
from ajahr.inference.external import WeightsFile, load_state, require
from synth.photos.segment import AnnotationSegmenter, Segmenter

SAM_WEIGHTS = WeightsFile(
    "backgrounds.segmenter_weights",
    "a segment-anything checkpoint (sam_vit_h_4b8939.pth, sam_vit_l_0b3195.pth or sam_vit_b_01ec64.pth)",
    "github.com/facebookresearch/segment-anything",
)
_INSET = 0.05
"""How far inside the box the four points lie, in box sides."""
_MARGIN = 0.05
"""A mask may reach this far beyond its box, in box sides; what lies further away is not the person."""
_MIN_FIT = 0.4
"""A mask whose own box overlaps the prompt's less than this is not of the person the box is around."""
_DECODER_HEADS = 8
_PIXEL_MEAN, _PIXEL_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class SamSegmenter:
    """Segment-anything with the box and a point at each of its four edges.

    The points count as foreground; they lie a little inside the edges, at their middles. Of SAM's three masks
    the one with the largest product of SAM's own score and overlap of its box with the person's is taken.
    Crowd regions, and people for whom no mask fits the box, go to ``fallback``.

    Args:
        weights: A checkpoint; its size (ViT-H, L or B) is read from its shapes.
        device: ``cpu`` or ``cuda``.
        fallback: The annotated mask, else GrabCut, when None.

    Raises:
        MissingAsset: no weights, or segment-anything is not installed.
        UserError: the file is no such checkpoint.
    """

    def __init__(
        self, weights: Path | None, *, device: str = "cpu", fallback: Segmenter | None = None
    ) -> None:
        path = SAM_WEIGHTS.find(weights)
        package = require("segment_anything", "backgrounds.segmenter sam")
        state = load_state(SAM_WEIGHTS, path)
        try:
            model = build_sam(state)
            model.load_state_dict(state)
        except (KeyError, ValueError, ZeroDivisionError, IndexError, RuntimeError) as error:
            raise SAM_WEIGHTS.refuse(path, f"{type(error).__name__}: {error}") from None
        self._predictor = package.SamPredictor(model.eval().to(device))
        self._fallback = fallback or AnnotationSegmenter()
        self._image: np.ndarray | None = None

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], person: PersonAnnotation
    ) -> Bool[np.ndarray, "height width"]:
        """The person's mask. The picture is encoded once for all of its people."""
        if person.crowd:
            return self._fallback(image, person)
        if self._image is not image:
            self._predictor.set_image(np.ascontiguousarray(image))
            self._image = image
        box = person.bbox_xyxy.astype(np.float64)
        masks, scores, _ = self._predictor.predict(
            point_coords=edge_points(box), point_labels=np.ones(4, int), box=box, multimask_output=True
        )
        mask = choose_mask(masks, scores, box)
        return self._fallback(image, person) if mask is None else mask


def edge_points(box_xyxy: Float[np.ndarray, "xyxy=4"]) -> Float[np.ndarray, "points=4 xy=2"]:
    """Points at the top, bottom, left and right edges of a box, px."""
    x0, y0, x1, y1 = box_xyxy
    dx, dy = _INSET * (x1 - x0), _INSET * (y1 - y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return np.array([(x, y0 + dy), (x, y1 - dy), (x0 + dx, y), (x1 - dx, y)])


def choose_mask(
    masks: Bool[np.ndarray, "masks height width"],
    scores: Float[np.ndarray, " masks"],
    box_xyxy: Float[np.ndarray, "xyxy=4"],
) -> Bool[np.ndarray, "height width"] | None:
    """The best mask, cut at the box and a margin; None where none fits the box.

    Args:
        masks: SAM's proposals.
        scores: SAM's own estimate of each mask's overlap with the truth.
        box_xyxy: The person's box, px.
    """
    height, width = masks.shape[1:]
    margin = np.tile(np.maximum(_MARGIN * (box_xyxy[2:] - box_xyxy[:2]), 2), 2) * (-1, -1, 1, 1)
    x0, y0, x1, y1 = (int(v) for v in np.rint(box_xyxy + margin))
    near = np.zeros((height, width), bool)
    near[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    best, best_quality = None, 0.0
    for mask, score in zip(masks, scores, strict=True):
        inside = mask & near
        if not inside.any():
            continue
        fit = _box_iou(inside, box_xyxy)
        # what of the mask lies outside the box speaks against it: a wall, another person
        quality = float(np.clip(score, 1e-3, 1)) * fit * (inside.sum() / mask.sum())
        if fit >= _MIN_FIT and quality > best_quality:
            best, best_quality = inside, quality
    return best


def _box_iou(mask: Bool[np.ndarray, "height width"], box: Float[np.ndarray, "xyxy=4"]) -> float:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    own = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
    low, high = np.maximum(own[:2], box[:2]), np.minimum(own[2:], box[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = float(np.prod(own[2:] - own[:2]) + np.prod(box[2:] - box[:2]))
    return shared / (areas - shared)


def build_sam(state: dict[str, Any]) -> Any:
    """The network that a checkpoint's shapes describe, with random weights.

    Segment-anything's own builders take the size as a name; the shapes know it, and any other size too.

    Raises:
        KeyError, ValueError, ZeroDivisionError, IndexError, RuntimeError: they describe none.
    """
    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    patch = state["image_encoder.patch_embed.proj.weight"]
    dim, patch_size = patch.shape[0], patch.shape[-1]
    grid = state["image_encoder.pos_embed"].shape[1]
    spans = _block_values(state, "image_encoder.blocks.{}.attn.rel_pos_h")
    depth = len(spans)
    whole = [i for i, span in enumerate(spans) if (span.shape[0] + 1) // 2 == grid]
    windows = {(span.shape[0] + 1) // 2 for span in spans} - {grid}
    if len(windows) > 1:
        raise ValueError("attention windows of several sizes")
    head_dim = spans[0].shape[1]
    prompt_dim = state["image_encoder.neck.0.weight"].shape[0]
    size = grid * patch_size
    mlp = state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0]
    iou = state["mask_decoder.iou_prediction_head.layers.0.weight"]
    decoder_mlp = state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0]
    layer_norm: Any = partial(torch.nn.LayerNorm, eps=1e-6)
    decoder_depth = len(_block_values(state, "mask_decoder.transformer.layers.{}.norm1.weight"))
    iou_depth = len(_block_values(state, "mask_decoder.iou_prediction_head.layers.{}.weight"))
    return Sam(
        image_encoder=ImageEncoderViT(
            depth=depth,
            embed_dim=dim,
            img_size=size,
            mlp_ratio=mlp / dim,
            norm_layer=layer_norm,
            num_heads=dim // head_dim,
            patch_size=patch_size,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=tuple(whole),
            window_size=windows.pop() if windows else 0,
            out_chans=prompt_dim,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=prompt_dim,
            image_embedding_size=(grid, grid),
            input_image_size=(size, size),
            mask_in_chans=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=state["mask_decoder.mask_tokens.weight"].shape[0] - 1,
            transformer=TwoWayTransformer(
                depth=decoder_depth, embedding_dim=prompt_dim, mlp_dim=decoder_mlp, num_heads=_DECODER_HEADS
            ),
            transformer_dim=prompt_dim,
            iou_head_depth=iou_depth,
            iou_head_hidden_dim=iou.shape[0],
        ),
        pixel_mean=_PIXEL_MEAN,
        pixel_std=_PIXEL_STD,
    )


def _block_values(state: dict[str, Any], pattern: str) -> list[Any]:
    found = []
    while (name := pattern.format(len(found))) in state:
        found.append(state[name])
    if not found:
        raise KeyError(pattern.format(0))
    return found
