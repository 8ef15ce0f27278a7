"""The rasteriser's inner loops, compiled by numba: project, light, find the face of every sample, shade.

Shading is deferred. The first pass over the faces keeps, per sample, only the nearest face; the second shades
each face once per pixel it shows in, at the mean of its samples there. Hidden faces cost no texture look-up,
and a pixel inside the body one or two of them instead of four.

The first pass writes one integer per sample: nearness in the upper 32 bits, the face's record in the lower.
Larger is nearer, 0 is empty. Nearness is affine in the image, so the depth test needs no division: 1/z under
perspective, a constant minus z under weak perspective.

Plain IEEE arithmetic in a fixed order, no fastmath: the same bytes on every run.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np
from numba import njit

from ajahr.render.normals import sum_normals

MIN_AREA = 1e-6
"""Faces smaller than this in the image (px^2) draw nothing: their gradients would be noise."""
MAX_COORDINATE = float(1 << 20)
"""A vertex farther than this from the image's corner (px) is as unusable as one before the near plane."""
MAX_SLOPE = float(1 << 24)
"""Edges flatter than this (px per px) meet one row of samples at most, so that the bound changes nothing."""
AFFINE = 0.1
"""Small faces do without perspective's division where that moves the texture by less than AFFINE / 4 px."""
FRACTION = 32
"""Bits after the point of an edge's x, px."""
NEARNESS_ONE = float(1 << 61)
NEARNESS_MASK = -1 << 32
RECORD_MASK = (1 << 32) - 1
RECORD_FLOATS = 18
"""Per visible face: xy of corner a (0, 1), gradients of the barycentrics of b (2, 3) and c (4, 5), nearness
of a, b, c (6..8; [6] is 0 for an affine face), light (9..11), texel u, v of a, b, c (12..17)."""


@njit(cache=True, nogil=True)
@no_type_check
def project(vertices, focal_length, cx, cy, weak_depth, near, screen):
    """Fill ``screen`` (V, 3) with x, y (px) and nearness; nearness 0 marks an unusable vertex.

    Returns whether all vertices are finite, the constant of weak perspective (m), the largest nearness, and
    xmin, ymin, xmax, ymax of the usable vertices (xmin > xmax if there are none).
    """
    finite = True
    far = -np.inf
    for i in range(vertices.shape[0]):
        total = float(vertices[i, 0]) + float(vertices[i, 1]) + float(vertices[i, 2])
        if total - total != 0.0:  # inf - inf and nan - nan are nan
            finite = False
        far = max(far, float(vertices[i, 2]))
    far += 1.0  # the farthest vertex has a nearness of 1 m
    qmax = 0.0
    xmin, ymin, xmax, ymax = np.inf, np.inf, -np.inf, -np.inf
    for i in range(vertices.shape[0]):
        screen[i, 2] = 0.0
        z = float(vertices[i, 2])
        if not z >= near:
            continue
        scale = focal_length / (weak_depth if weak_depth > 0.0 else z)
        x = float(vertices[i, 0]) * scale + cx
        y = float(vertices[i, 1]) * scale + cy
        if not (abs(x) <= MAX_COORDINATE and abs(y) <= MAX_COORDINATE):
            continue
        screen[i, 0], screen[i, 1] = x, y
        screen[i, 2] = far - z if weak_depth > 0.0 else 1.0 / z
        qmax = max(qmax, screen[i, 2])
        xmin, ymin, xmax, ymax = min(xmin, x), min(ymin, y), max(xmax, x), max(ymax, y)
    return finite, far, qmax, xmin, ymin, xmax, ymax


@njit(cache=True, nogil=True)
@no_type_check
def vertex_light(vertices, faces, direction, normals, light):
    """Fill ``normals`` (V, 3), not normalised, and ``light`` (2, V): max(0, n . direction), outside, inside.

    A vertex that has only faces without area gets no directional light.
    """
    sum_normals(vertices, faces, normals)
    for i in range(vertices.shape[0]):
        nx, ny, nz = float(normals[i, 0]), float(normals[i, 1]), float(normals[i, 2])
        length = math.sqrt(nx * nx + ny * ny + nz * nz)
        cosine = 0.0
        if length > 0.0:
            cosine = (nx * direction[0] + ny * direction[1] + nz * direction[2]) / length
        light[0, i] = max(cosine, 0.0)
        light[1, i] = max(-cosine, 0.0)


@njit(cache=True, nogil=True)
@no_type_check
def row_of(y, y0, samples, rows):
    """First row of samples at or below ``y``, within 0..rows."""
    return np.int64(min(max(np.ceil((y - y0) * samples - 0.5), 0.0), float(rows)))


@njit(cache=True, nogil=True)
@no_type_check
def edge_at(x_top, y_top, x_low, y_low, row, x0, y0, samples):
    """x of an edge at a row of samples and its step to the next row, px from ``x0`` in fixed point.

    Both faces of an edge call this with the same numbers, so they agree on every crossing to the bit.
    """
    slope = (x_low - x_top) / (y_low - y_top)
    x = x_top - x0 + (y0 + (row + 0.5) / samples - y_top) * slope
    one = float(1 << FRACTION)
    return np.int64(x * one), np.int64(min(max(slope, -MAX_SLOPE), MAX_SLOPE) * (one / samples))


@njit(cache=True, nogil=True)
@no_type_check
def fill_record(
    record, xa, ya, ux, uy, vx, vy, inverse, qa, qb, qc, perspective, light, a, b, c, uv, ta, tb, tc, mips
):  # fmt: skip
    """Fill a visible face's `RECORD_FLOATS` and return its mip level."""
    record[0], record[1] = xa, ya
    record[2], record[3] = vy * inverse, -vx * inverse
    record[4], record[5] = -uy * inverse, ux * inverse
    record[6], record[7], record[8] = qa, qb, qc
    extent = max(abs(ux), abs(uy), abs(vx), abs(vy))
    if not perspective or (max(qa, qb, qc) - min(qa, qb, qc)) * extent < AFFINE * min(qa, qb, qc):
        record[6] = 0.0
    record[9], record[10], record[11] = light[a], light[b], light[c]
    # a mip level for every factor of four in texels per pixel
    u0, v0 = uv[ta, 0], uv[ta, 1]
    texels = abs((uv[tb, 0] - u0) * (uv[tc, 1] - v0) - (uv[tb, 1] - v0) * (uv[tc, 0] - u0))
    ratio = texels * abs(inverse) * (mips[0, 2] * mips[0, 3])
    level = 0
    while ratio > 2.0 and level < mips.shape[0] - 1:
        level += 1
        ratio *= 0.25
    # uv in 1/256 texels of that level, counted from the centre of the rim's corner, so never negative
    k = 12
    for t in (ta, tb, tc):
        record[k] = (min(max(uv[t, 0], 0.0), 1.0) * mips[level, 2] + 0.5) * 256.0
        record[k + 1] = (min(max(uv[t, 1], 0.0), 1.0) * mips[level, 3] + 0.5) * 256.0
        k += 2
    return level


@njit(cache=True, nogil=True)
@no_type_check
def draw_faces(
    faces, uv_faces, face_parts, screen, perspective, qmax, uv, light, mips, cull, offsets,
    x0, y0, width, height, visible, records, record_faces, record_levels, record_parts,
):  # fmt: skip
    """First pass: the nearest face of every sample in the window (x0, y0, width, height).

    Sample s of pixel (i, j) lies at (j + offsets[s], i + (s + .5) / S), row-major and sample last in
    ``visible``. A face owns the samples between its edges; of two faces sharing an edge the right or lower
    one owns those on it, so a closed mesh has no crack and no sample drawn twice.
    """
    samples = len(offsets)
    rows = height * samples
    visible[: rows * width] = 0
    shifts = np.empty(samples, np.float64)
    # (x + round_up) >> FRACTION: the first pixel whose sample is not left of x
    round_up = np.empty(samples, np.int64)
    for s in range(samples):
        shifts[s] = offsets[s]
        round_up[s] = (1 << FRACTION) - 1 - np.int64(offsets[s] * (1 << FRACTION))
    limit = width << FRACTION
    q_scale = NEARNESS_ONE / qmax
    step = np.uint64(samples)  # unsigned, or numba adds a test for negative indices
    count = 0
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        xa, ya, qa = screen[a, 0], screen[a, 1], screen[a, 2]
        xb, yb, qb = screen[b, 0], screen[b, 1], screen[b, 2]
        xc, yc, qc = screen[c, 0], screen[c, 1], screen[c, 2]
        if qa <= 0.0 or qb <= 0.0 or qc <= 0.0:
            continue
        ux, uy, vx, vy = xb - xa, yb - ya, xc - xa, yc - ya
        area = ux * vy - uy * vx  # negative is counter-clockwise as seen, because y points down
        if area > -MIN_AREA and (cull or area < MIN_AREA):
            continue
        # corners by height: top, middle, low
        xt, yt, xm, ym, xl, yl = xa, ya, xb, yb, xc, yc
        if ym < yt:
            xt, yt, xm, ym = xm, ym, xt, yt
        if yl < ym:
            xm, ym, xl, yl = xl, yl, xm, ym
            if ym < yt:
                xt, yt, xm, ym = xm, ym, xt, yt
        row = row_of(yt, y0, samples, rows)
        last = row_of(yl, y0, samples, rows)
        if row >= last:
            continue
        middle = row_of(ym, y0, samples, rows)
        long_x, long_dx = edge_at(xt, yt, xl, yl, row, x0, y0, samples)
        long_left = (xm - xt) * (yl - yt) > (xl - xt) * (ym - yt)
        inverse = 1.0 / area
        qx = ((qb - qa) * vy - (qc - qa) * uy) * inverse * q_scale
        qy = ((qc - qa) * ux - (qb - qa) * vx) * inverse * q_scale
        q_row = qa * q_scale + (x0 - xa) * qx + (y0 + (row + 0.5) / samples - ya) * qy
        qy /= samples
        drawn = False
        s = row % samples
        base = (row - s) * width + s
        for half in range(2):  # above and below the middle corner
            end = middle if half == 0 else last
            if row >= end:
                continue
            if half == 0:
                short_x, short_dx = edge_at(xt, yt, xm, ym, row, x0, y0, samples)
            else:
                short_x, short_dx = edge_at(xm, ym, xl, yl, row, x0, y0, samples)
            if long_left:
                left, left_dx, right, right_dx = long_x, long_dx, short_x, short_dx
            else:
                left, left_dx, right, right_dx = short_x, short_dx, long_x, long_dx
            for _ in range(end - row):
                start = max(left + round_up[s], 0) >> FRACTION
                stop = min(right + round_up[s], limit) >> FRACTION
                if start < stop:
                    q = q_row + (start + shifts[s]) * qx
                    at = np.uint64(base + start * samples)
                    for _ in range(stop - start):
                        key = (np.int64(q) & NEARNESS_MASK) | count
                        if key > visible[at]:
                            visible[at] = key
                            drawn = True
                        q += qx
                        at += step
                left += left_dx
                right += right_dx
                q_row += qy
                s += 1
                base += 1
                if s == samples:
                    s = 0
                    base += (width - 1) * samples
            long_x += (end - row) * long_dx
            row = end
        if drawn:
            record_faces[count] = f
            record_parts[count] = face_parts[f]
            record_levels[count] = fill_record(
                records[count], xa, ya, ux, uy, vx, vy, inverse, qa, qb, qc, perspective,
                light[0 if area < 0.0 else 1], a, b, c,
                uv, uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2], mips,
            )  # fmt: skip
            count += 1


@njit(cache=True, nogil=True)
@no_type_check
def bilinear(texels, at, pitch, fx, fy):
    """The four texels around ``at`` mixed by 8-bit weights that sum to 256, as on a GPU.

    Returns 256 times R, B and G in 16 bits each, the three channels having gone through one multiplication.
    """
    w11 = (fx * fy + 128) >> 8
    w01 = fx - w11
    w10 = fy - w11
    w00 = 256 - fx - w10
    mixed = np.int64(0)
    low = at + pitch
    for texel, weight in (
        (texels[at], w00),
        (texels[at + 1], w01),
        (texels[low], w10),
        (texels[low + 1], w11),
    ):
        rgb = np.int64(texel)
        mixed += ((rgb & 0xFF00FF) | (rgb & 0x00FF00) << 24) * weight
    return mixed


@njit(cache=True, nogil=True)
@no_type_check
def majority(visible, base, samples, record_parts):
    """Part with the most samples of the pixel at ``base``; of equals, the one with the nearest sample."""
    label, most, closest = 0, 0, 0
    for s in range(samples):
        if visible[base + s] == 0:
            continue
        found = np.int64(record_parts[visible[base + s] & RECORD_MASK])
        n, nearest = 0, 0
        for t in range(samples):
            key = visible[base + t]
            if key > 0 and record_parts[key & RECORD_MASK] == found:
                n += 1
                nearest = max(nearest, key)
        if n > most or (n == most and nearest > closest):
            label, most, closest = found, n, nearest
    return label


@njit(cache=True, nogil=True)
@no_type_check
def sample_subsets(offsets):
    """Centre x, y and share of the pixel for every subset of its samples, bit s standing for sample s."""
    samples = len(offsets)
    table = np.zeros((1 << samples, 3), np.float32)
    for mask in range(1, 1 << samples):
        x, y, n = 0.0, 0.0, 0
        for s in range(samples):
            if mask >> s & 1:
                x, y, n = x + offsets[s], y + (s + 0.5) / samples, n + 1
        table[mask, 0], table[mask, 1], table[mask, 2] = x / n, y / n, n / samples
    return table


@njit(cache=True, nogil=True)
@no_type_check
def shade(
    visible, records, record_faces, record_levels, record_parts, faces, texels, mips, tint,
    ambient, directional, perspective, far, qmax, offsets, x0, y0, width, height, rgba, depth, parts,
):  # fmt: skip
    """Second pass: colour, depth and part of every covered pixel of the window.

    ``texels`` and ``mips`` are a `Texture`'s; ``tint`` is premultiplied by its alpha, (0, 4) for none.
    """
    samples = len(offsets)
    subsets = sample_subsets(offsets)
    has_tint = tint.shape[0] > 0
    zero, one, full, unit = np.float32(0.0), np.float32(1.0), np.float32(255.0), np.float32(1.0 / 256.0)
    for i in range(height):
        for j in range(width):
            base = (i * width + j) * samples
            best, todo, covered = np.int64(0), 0, 0
            for s in range(samples):
                key = visible[base + s]
                best = max(best, key)
                if key > 0:
                    todo |= 1 << s
                    covered += 1
            if covered == 0:
                continue
            red, green, blue = zero, zero, zero
            label = -1
            one_label = True
            for s in range(samples):
                if not (todo >> s & 1):
                    continue
                k = visible[base + s] & RECORD_MASK
                mask = 0  # this pixel's samples of the same face
                for t in range(s, samples):
                    if (visible[base + t] & RECORD_MASK) == k:
                        mask |= 1 << t
                mask &= todo
                todo &= ~mask
                subset, record = subsets[mask], records[k]
                px = subset[0] + (np.float32(x0 + j) - record[0])
                py = subset[1] + (np.float32(y0 + i) - record[1])
                wb = min(max(record[2] * px + record[3] * py, zero), one)
                wc = min(max(record[4] * px + record[5] * py, zero), one - wb)
                wa = one - wb - wc
                if record[6] > zero:
                    wa *= record[6]
                    wb *= record[7]
                    wc *= record[8]
                    inverse = one / (wa + wb + wc)
                    wa *= inverse
                    wb *= inverse
                    wc *= inverse
                u = np.int64(wa * record[12] + wb * record[14] + wc * record[16])
                v = np.int64(wa * record[13] + wb * record[15] + wc * record[17])
                level = record_levels[k]
                pitch = mips[level, 1]
                at = mips[level, 0] + ((v >> 8) - 1) * pitch + (u >> 8) - 1
                mixed = bilinear(texels, at, pitch, u & 255, v & 255)
                r = np.float32(mixed & 0xFFFF) * unit
                g = np.float32(mixed >> 32) * unit
                b = np.float32(mixed >> 16 & 0xFFFF) * unit
                if has_tint:
                    f = record_faces[k]
                    ta, tb, tc = tint[faces[f, 0]], tint[faces[f, 1]], tint[faces[f, 2]]
                    keep = one - (wa * ta[3] + wb * tb[3] + wc * tc[3])
                    r = r * keep + wa * ta[0] + wb * tb[0] + wc * tc[0]
                    g = g * keep + wa * ta[1] + wb * tb[1] + wc * tc[1]
                    b = b * keep + wa * ta[2] + wb * tb[2] + wc * tc[2]
                lit = wa * record[9] + wb * record[10] + wc * record[11]
                red += min(r * (ambient[0] + directional[0] * lit), full) * subset[2]
                green += min(g * (ambient[1] + directional[1] * lit), full) * subset[2]
                blue += min(b * (ambient[2] + directional[2] * lit), full) * subset[2]
                if label >= 0 and record_parts[k] != label:
                    one_label = False
                label = np.int64(record_parts[k])
            y, x = y0 + i, x0 + j
            rgba[y, x, 0] = np.int64(red + np.float32(0.5))
            rgba[y, x, 1] = np.int64(green + np.float32(0.5))
            rgba[y, x, 2] = np.int64(blue + np.float32(0.5))
            rgba[y, x, 3] = (510 * covered + samples) // (2 * samples)
            q = (best >> 32) * (4294967296.0 / NEARNESS_ONE * qmax)
            depth[y, x] = 1.0 / q if perspective else far - q
            if 2 * covered >= samples:
                parts[y, x] = label if one_label else majority(visible, base, samples, record_parts)
