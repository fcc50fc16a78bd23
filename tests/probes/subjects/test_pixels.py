"""Every mode that Pillow has, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from probes.command.cli import BadInput
from probes.subjects import Item
from probes.subjects.pixels import rgb

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
SIXTEEN = GREY.astype(np.uint16) * 257


def pixels(image) -> np.ndarray:
    found = rgb(image, "it")
    assert found.mode == "RGB"
    return np.asarray(found).astype(int)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_of_grey_keep_every_tone(tmp_path, suffix):
    Image.fromarray(SIXTEEN).save(tmp_path / f"a.{suffix}")
    for image in (Item(0, tmp_path / f"a.{suffix}").pixels(), Item(0, Image.open(tmp_path / f"a.{suffix}")).pixels()):
        assert np.array_equal(np.asarray(image), np.stack([GREY] * 3, -1))


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I;16N"])
def test_sixteen_bits_are_read_in_any_order_of_bytes(mode):
    image = Image.frombytes(mode, (16, 16), SIXTEEN.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    assert np.array_equal(pixels(image)[..., 0], GREY)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.fromarray(SIXTEEN.astype(np.int32)), "32-bit integers"),
        (Image.fromarray(GREY.astype(np.float32) / 255), "floats"),
    ],
    ids=["I", "F"],
)
def test_numbers_without_a_range_are_refused_and_never_black_or_white(tmp_path, image, kind):
    with pytest.raises(
        BadInput, match=rf"^the image of item 3: its pixels are {kind}, whose .*; scale them to 0 to 255 \(mode L\) first\.$"
    ):
        Item(3, image).pixels()
    image.save(tmp_path / "a.tif")
    with pytest.raises(BadInput, match=rf"a\.tif \(item 3\): its pixels are {kind}"):
        Item(3, tmp_path / "a.tif").pixels()


COLOURS = Image.fromarray(np.stack([GREY, GREY.T, GREY[::-1]], -1))
ALPHA = Image.fromarray(GREY[:, ::-1].copy())


def on_white(colours, alpha):
    share = np.asarray(alpha).astype(float)[..., None] / 255
    return np.asarray(colours) * share + 255 * (1 - share)


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "La", "PA"])
def test_what_is_transparent_lies_on_white(mode):
    plain = COLOURS if mode.startswith("RGB") else COLOURS.convert("L")
    image = plain.convert("P") if mode == "PA" else plain.copy()
    image.putalpha(ALPHA)
    image = image.convert(mode)
    assert image.mode == mode
    # 1 of rounding; of a colour that was multiplied by its alpha less is left, but it is weighed by that alpha too
    assert np.abs(pixels(image) - on_white(plain.convert("RGB"), ALPHA)).max() <= (1 if mode in ("RGBA", "LA", "PA") else 2)


def test_what_is_opaque_keeps_its_colour():
    image = COLOURS.copy()
    image.putalpha(255)
    assert np.array_equal(pixels(image), np.asarray(COLOURS))


def keyed(mode, image, key):
    image = image.convert(mode)
    image.info["transparency"] = key
    return image


@pytest.mark.parametrize(
    ("image", "clear"),
    [
        (keyed("L", Image.fromarray(GREY), 7), GREY == 7),
        (keyed("RGB", Image.fromarray(np.stack([GREY] * 3, -1)), (7, 7, 7)), GREY == 7),
        (keyed("P", Image.fromarray(GREY), 7), GREY == 7),
        (keyed("P", Image.fromarray(GREY), bytes([255] * 7 + [0])), GREY == 7),
        (keyed("I;16", Image.fromarray(SIXTEEN), 7 * 257), GREY == 7),
    ],
    ids=["L", "RGB", "P", "P bytes", "I;16"],
)
def test_a_colour_that_stands_for_transparent_is_white(tmp_path, image, clear):
    image.save(tmp_path / "a.png", transparency=image.info["transparency"])
    for found in (pixels(image), np.asarray(Item(0, tmp_path / "a.png").pixels())):
        assert (found[clear] == 255).all()
        assert np.array_equal(found[~clear], np.stack([GREY] * 3, -1)[~clear])


def test_modes_without_transparency_are_what_pillow_makes_of_them():
    for mode in ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"):
        image = COLOURS.convert(mode)
        assert np.array_equal(pixels(image), np.asarray(image.convert("RGB"))), mode
    assert set(np.unique(pixels(COLOURS.convert("1")))) == {0, 255}
    assert np.abs(pixels(COLOURS.convert("CMYK")) - np.asarray(COLOURS)).max() == 0


def test_every_mode_of_pillow_was_looked_at():
    looked_at = {"1", "L", "P", "PA", "LA", "La", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"}
    assert set(Image.MODES) - looked_at - {"I;16", "I;16L", "I;16B", "I;16N"} == set()


def test_lab_is_read_as_colour(tmp_path):
    from PIL import ImageCms

    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    ImageCms.applyTransform(Image.new("RGB", (4, 4), (200, 100, 50)), to_lab).save(tmp_path / "lab.tif")
    assert np.abs(np.asarray(Item(0, tmp_path / "lab.tif").pixels()).astype(int) - (200, 100, 50)).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_upright_whatever_its_camera_held(tmp_path, orientation):
    """Two corners of a 2 x 3 picture, found where EXIF 2.3 (tag 0x0112) says that the stored first row and column lie."""
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    stored = {  # of the upright picture, what a camera that writes this orientation puts into the file
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright[::-1, ::-1].T,
        8: upright.T[:, ::-1],
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(Item(0, tmp_path / "a.png").pixels())[..., 0], upright)
    assert np.array_equal(np.asarray(Item(0, Image.open(tmp_path / "a.png")).pixels())[..., 0], upright)


def test_damaged_exif_is_no_damaged_image(tmp_path):
    COLOURS.save(tmp_path / "a.jpg", exif=b"Exif\0\0" + b"MM\0*\xff\xff\xff\xff" + bytes(7))
    assert Item(0, tmp_path / "a.jpg").pixels().size == (16, 16)


def test_a_turned_pgm_of_sixteen_bits_keeps_its_range(tmp_path):
    Image.fromarray(SIXTEEN).save(tmp_path / "a.pgm")
    image = Image.open(tmp_path / "a.pgm")
    image.getexif()[0x0112] = 3
    assert np.array_equal(pixels(image)[..., 0], GREY[::-1, ::-1])


def test_an_image_cut_off_in_memory_is_told_as_one_on_disk(tmp_path):
    COLOURS.resize((200, 200)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:500])
    with (
        Image.open(tmp_path / "a.png") as image,
        pytest.raises(BadInput, match=r"^the image cannot be read \(item 2\); it is cut off or damaged"),
    ):
        Item(2, image).pixels()
