"""What the fit takes from the sampler: the same every time, symmetric, upright."""

from __future__ import annotations

import torch

from ajahr.anatomy import BODY_POSE_FLIP, JOINT, SMPL24
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.fitting.pose_prior import default_library, default_prior, relaxed_pose, upright_prior
from ajahr.poses.prior import PosePrior


def test_library_is_the_same_at_every_call():
    first = default_library()
    default_library.cache_clear()
    again = default_library()
    assert torch.equal(first.poses, again.poses) and torch.equal(first.roots, again.roots)


def test_library_has_people_who_stand_sit_and_lie(body):
    library = default_library()
    model = KeypointModel(body, SMPL24)
    betas = torch.zeros(len(library.poses), model.num_betas, dtype=torch.float64)
    joints = model.pose(library.roots, library.poses, betas).keypoints
    head, ankle = joints[:, JOINT["head"], 1], joints[:, JOINT["left_ankle"], 1]
    assert (head - ankle > 1.2).double().mean() > 0.3  # stand
    assert (head.abs() < 0.45).double().mean() > 0.02  # lie


def test_a_pose_and_its_mirror_image_cost_the_same():
    prior, library = default_prior(), default_library()
    mirrored = library.poses[:, list(BODY_POSE_FLIP)] * torch.tensor([1.0, -1.0, -1.0])
    for c, d in ((library.poses, mirrored),):
        off_c, off_d = (x.flatten(1)[:, None] - prior.means for x in (c, d))
        cost = [
            (0.5 * (o * torch.einsum("cij,ncj->nci", prior.precisions, o)).sum(-1) + prior.offsets).amin(1)
            for o in (off_c, off_d)
        ]
        torch.testing.assert_close(*cost, atol=1e-6, rtol=1e-6)
    # and so do their tilts: every component has a mirror image with up mirrored
    flipped = prior.up * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.cdist(flipped, prior.up).amin(1).max() < 1e-6


def test_up_is_up_for_those_who_stand():
    prior = default_prior()
    assert (prior.up.norm(dim=-1) - 1).abs().max() < 1e-9
    relaxed = relaxed_pose().flatten()
    off = relaxed - prior.means
    standing = (0.5 * torch.einsum("ci,cij,cj->c", off, prior.precisions, off) + prior.offsets).argmin()
    assert prior.up[standing, 1] > 0.95 and prior.up_sigma[standing] < 0.25


def test_a_component_without_poses_still_has_an_up():
    prior = PosePrior.load()
    library = default_library()
    few = upright_prior(prior, type(library)(library.poses[:1], library.roots[:1]))
    assert few.up.isfinite().all() and few.up_sigma.isfinite().all()


def test_relaxed_pose_is_symmetric_with_arms_down(body):
    relaxed = relaxed_pose()
    mirrored = relaxed[list(BODY_POSE_FLIP)] * torch.tensor([1.0, -1.0, -1.0])
    torch.testing.assert_close(relaxed, mirrored)
    model = KeypointModel(body, SMPL24)
    one = torch.zeros(1, model.num_betas, dtype=torch.float64)
    joints = model.pose(torch.eye(3, dtype=torch.float64)[None], relaxed[None], one).keypoints[0]
    assert joints[JOINT["left_wrist"], 1] < joints[JOINT["left_shoulder"], 1] - 0.35
    assert joints[JOINT["left_ankle"], 1] < -0.7
