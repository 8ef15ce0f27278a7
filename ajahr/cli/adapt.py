"""``ajahr adapt``: another method's bodies in; limb status, lengths, closed meshes and an overlay out.

ajahr adapt --smpl hmr2.npz --keypoints ld25.json --image photo.jpg --body SMPL_NEUTRAL.pkl
ajahr adapt --smpl predict.json --keypoints ld25.json --mesh stl --refine false

No model is run and none is trained: the parameters of any HMR method and LDPose's 25 keypoints are enough.

Exit codes: 0 done, also where nothing had to be cut; 2 nothing could be done, the line on stderr says why.
"""

from __future__ import annotations

from collections.abc import Sequence

from ajahr.cli.console import Parser
from ajahr.inference.adapt_run import AdaptConfig, run
from ajahr.progress import Progress


def main(argv: Sequence[str]) -> int:
    about, _, note, codes = (" ".join(part.split()) for part in (__doc__ or "").split("\n\n"))
    parser = Parser(prog="ajahr adapt", description=f"{about.split(': ', 1)[1]} {note}", epilog=codes)
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_class_arguments(AdaptConfig, None)
    values = vars(parser.instantiate(parser.parse_args(list(argv))))
    config = AdaptConfig(**{name: value for name, value in values.items() if name != "config"})
    result, path = run(config, Progress())
    for note in result.notes:
        print(note)
    if not result.people:
        print("nobody in the file")
    for person in result.people:
        for limb in person.limbs:
            if limb.segment is None:
                continue
            words = f"{person.number}: {limb.segment.words}, {limb.status}"
            if limb.status == "residual":
                words += f", lambda {limb.fraction:.3f} (sd {limb.fraction_sd:.3f}), {limb.fit}, "
                words += f"{1000 * limb.length:.0f} mm left on the body's own scale"
            if limb.reason:
                words += f": {limb.reason}"
            for flag in limb.cut.flags if limb.cut is not None else ():
                words += f"; {flag}"
            print(words)
        print(f"{person.number}: {person.refined}")
        for note in person.notes:
            print(f"{person.number}: {note}")
    print(path)
    return 0
