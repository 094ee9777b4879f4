"""Print kpcli.inference.head_pose.MEAN_FACE: a 3-D mean face, from nothing but labelled 2-D faces.

Usage: python tests/benchmarks/mean_face.py ../shared/data/300w   (a folder of .pts, any depth)

Rigid structure from motion under scaled orthography (Tomasi and Kanade, IJCV 1992): every face of
the training folders and its mirror image is one view. Alternates between each view's best pose
and the shape that fits all views best; expressions and identities average out.
"""

import sys
from pathlib import Path

import numpy as np

from kpcli.inference.head_pose import RIGID, angles, rotation_of
from kpcli.schemes import IBUG68

FLIP = np.array(IBUG68.flip_order)


def read_pts(path: Path) -> np.ndarray:
    lines = path.read_text().split("{")[1].split("}")[0].split("\n")
    return np.array([[float(v) for v in line.split()] for line in lines if line.strip()])


def views(root: Path) -> np.ndarray:
    """(V, 68, 2), centred, of unit spread, each with its mirror image."""
    files = [f for f in sorted(root.rglob("*.pts")) if "testset" not in f.parts]
    faces = np.array([p for p in map(read_pts, files) if p.shape == (68, 2)])
    mirrored = faces[:, FLIP] * [-1, 1]
    both = np.concatenate([faces, mirrored])
    both -= both.mean(axis=1, keepdims=True)
    return both / np.sqrt((both**2).sum(axis=(1, 2), keepdims=True))


def pose(view: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(2, 3): scale times the first two rows of the rotation that takes shape to view."""
    free = np.linalg.lstsq(shape, view, rcond=None)[0].T
    u, s, vt = np.linalg.svd(free, full_matrices=False)
    return s.mean() * u @ vt


def start(w: np.ndarray) -> np.ndarray:
    """Factorisation of rank 3 and the metric upgrade; depth may be turned inside out."""
    stacked = w.transpose(0, 2, 1).reshape(-1, 68)
    motion, s, shape = np.linalg.svd(stacked, full_matrices=False)
    motion, shape = motion[:, :3] * np.sqrt(s[:3]), np.sqrt(s[:3])[:, None] * shape[:3]
    rows, right = [], []
    for a, b in motion.reshape(-1, 2, 3):
        rows += [sym(a, a) - sym(b, b), sym(a, b)]
        right += [0, 0]
    _, _, vt = np.linalg.svd(np.array(rows))
    q = vt[-1]
    q = np.array([[q[0], q[1], q[2]], [q[1], q[3], q[4]], [q[2], q[4], q[5]]])
    q = q * np.sign(np.trace(q))
    values, vectors = np.linalg.eigh(q)
    return (np.linalg.inv(vectors * np.sqrt(np.maximum(values, 1e-9))) @ shape).T


def sym(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([a[0] * b[0], a[0] * b[1] + a[1] * b[0], a[0] * b[2] + a[2] * b[0],
            a[1] * b[1], a[1] * b[2] + a[2] * b[1], a[2] * b[2]])  # fmt: skip


def upright(shape: np.ndarray) -> np.ndarray:
    """x from left to right, y down, z away from the camera; symmetric; eyes level."""
    shape = shape - shape.mean(axis=0)
    x = (shape[26:17:-1] - shape[17:26]).mean(axis=0) + shape[16] - shape[0]
    x /= np.linalg.norm(x)
    y = shape[8] - shape[27]
    y -= x * (x @ y)
    y /= np.linalg.norm(y)
    shape = shape @ np.stack([x, y, np.cross(x, y)], axis=1)
    if shape[30, 2] > shape[[0, 16], 2].mean():  # the nose must be nearer than the ears
        shape[:, 2] *= -1
    mirrored = shape[FLIP] * [-1, 1, 1]
    return (shape + mirrored) / 2


w = views(Path(sys.argv[1]))
shape = upright(start(w))
for _ in range(50):
    poses = np.array([pose(v, shape) for v in w])
    error = np.linalg.norm(w - shape @ poses.transpose(0, 2, 1), axis=2).mean(axis=1)
    good = error < np.quantile(error, 0.9)
    normal = np.einsum("vij,vik->jk", poses[good], poses[good])
    right = np.einsum("vij,vni->nj", poses[good], w[good])
    shape = upright(np.linalg.solve(normal, right.T).T)
eyes = np.linalg.norm(w[:, 45] - w[:, 36], axis=1)
print(f"{len(w) // 2} faces, median residual a point {np.median(error / eyes):.3f} eye distances")


def turned(shape: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll (V, 3) of all views."""
    found = []
    for view in w:
        rows = pose(view, shape)
        rows /= np.linalg.norm(rows[0])
        found.append(angles(np.vstack([rows, np.cross(rows[0], rows[1])])))
    return np.array(found)


def foreshortening(poses: np.ndarray) -> float:
    """How far the yaw is from what the narrowing of the line between the eyes says, degrees."""
    ratio = eyes / np.linalg.norm(w[:, 8] - w[:, 27], axis=1)
    level = np.abs(poses[:, 1] - np.median(poses[:, 1])) < 10
    frontal = np.median(ratio[level & (np.abs(poses[:, 0]) < 5)])
    gaps = []
    for low in (15, 20, 25, 30):
        some = level & (poses[:, 0] > low) & (poses[:, 0] < low + 5)
        seen = np.degrees(np.arccos(min(1.0, np.median(ratio[some]) / frontal)))
        gaps.append(seen - np.median(poses[some, 0]))
    return float(np.mean(gaps))


# What differs between people looks like depth to the factorisation, which makes it too large;
# the narrowing of the eye line in turned faces tells the true one.
factors = np.arange(0.7, 1.05, 0.02)
depth = min(factors, key=lambda f: abs(foreshortening(turned(shape * [1, 1, f]))))
shape = shape * [1, 1, depth]
# People look into the camera, on the average: that is what a pitch of 0 shall mean.
pitch = float(np.median(turned(shape)[:, 1]))
shape = shape @ rotation_of(0, pitch, 0).T
print(f"depth times {depth:.2f}, pitch {pitch:.1f} taken out")
shape = (shape - shape[[36, 45]].mean(axis=0)) / np.linalg.norm(shape[45] - shape[36])
for number in RIGID:
    print("[{:.3f}, {:.3f}, {:.3f}],".format(*(shape[number] + 0.0)))
