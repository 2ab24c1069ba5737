"""What the benchmarks' pictures are cut from."""

import numpy as np
import skimage


def middle_square(name: str) -> np.ndarray:
    """The largest square in the middle of a picture that scikit-image brings."""
    picture = getattr(skimage.data, name)()
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]
