"""
Makes src/font.ts: DejaVu Sans, cut down to the letters of figures, deflated, as base64; and the widths of its letters.

    pip install fonttools && python make-font.py /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
"""
import base64, io, sys, zlib
from fontTools import subset
from fontTools.ttLib import TTFont

RANGES = [
    (0x20, 0x7E), (0xA0, 0x17F),  # Latin
    (0x391, 0x3C9), (0x400, 0x45F),  # Greek, Cyrillic
    (0x2010, 0x2027), (0x2030, 0x203A), (0x2044, 0x2044),  # dashes, quotes, ellipsis, per mille, primes
    (0x2070, 0x209C),  # raised and lowered
    (0x2190, 0x2199), (0x21A6, 0x21A6),  # arrows
    (0x2200, 0x2207), (0x2208, 0x220B), (0x220F, 0x221E), (0x2227, 0x222B), (0x2248, 0x2248), (0x2260, 0x2265),
    (0x2295, 0x2299), (0x22C5, 0x22C5), (0x22EE, 0x22F1),  # operators
    (0x25A0, 0x25A1), (0x25B2, 0x25B6), (0x25CB, 0x25CF), (0x2713, 0x2717),  # marks
]

font = TTFont(sys.argv[1])
options = subset.Options(hinting=False, layout_features=["kern", "mark"], name_IDs=[0, 1, 2, 4, 6, 13], notdef_outline=True)
cut = subset.Subsetter(options)
cut.populate(unicodes=[u for first, last in RANGES for u in range(first, last + 1)])
cut.subset(font)
out = io.BytesIO()
font.save(out, reorderTables=True)
em = font["head"].unitsPerEm
cmap, advance = font.getBestCmap(), font["hmtx"].metrics
widths = [round(100 * advance[cmap[u]][0] / em) for u in range(0x20, 0x7F)]
squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
data = base64.b64encode(squeezer.compress(out.getvalue()) + squeezer.flush()).decode()
with open("../src/font-data.ts", "w") as file:
    file.write("/** Made by font/make-font.py: DejaVu Sans 2.37, cut down to the letters of figures, deflated. */\n")
    file.write(f'export const FONT_DEFLATED =\n  "{data}";\n')
with open("../src/font-widths.ts", "w") as file:
    file.write("/** Made by font/make-font.py: widths of the letters from space to ~ in DejaVu Sans, in hundredths of the size. */\n")
    file.write("// prettier-ignore\nexport const WIDTHS: readonly number[] = [\n")
    for i in range(0, len(widths), 24):
        file.write("  " + ", ".join(map(str, widths[i : i + 24])) + ",\n")
    file.write("];\n")
print(len(out.getvalue()), "bytes,", len(data), "as base64")
