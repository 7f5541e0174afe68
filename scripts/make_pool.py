#!/usr/bin/env python3
"""Compress the backgrounds that ship, presets/pool, and the voices of the preset speech, from lossless originals.

`.venv/bin/python scripts/make_pool.py ORIGINALS`, where ORIGINALS is a folder with `background/*.flac`, `voice/*.flac`
and a `manifest.csv` with the columns path, kind, source, origin, origin_files, licence, licence_stated_in, use and
note. Only what is marked `ship` is taken, and of the voices what fits together in one work under GPL-2.0. Writes an Ogg
Vorbis file each and a manifest beside them, and removes whatever else sounds there; `README.md` and `kin.csv` are kept
by hand. The same originals give the same sound; the bytes of the files differ by the serial numbers of their streams.
"""

import csv
import re
import sys
from pathlib import Path

import soundfile

PRESETS = Path(__file__).parent.parent / "presets"
COMPRESSION = 0.5  # about 75 kbit/s; spectra differ from the original's by a KL divergence of 3 % of their sum
COLUMNS = ("file", "kind", "sound", "author", "origin", "origin_files", "licence", "licence_stated_in", "cut")
SPDX = {
    "CC0": "CC0-1.0",
    "CC-BY-3.0": "CC-BY-3.0",
    "CC-BY-SA-3.0": "CC-BY-SA-3.0",
    "GPL-2": "GPL-2.0-only",
    "GPL-2+": "GPL-2.0-or-later",
    "GPL-3.0": "GPL-3.0-only",  # the narrower reading, where nothing says "or later"
    "GPL-3+": "GPL-3.0-or-later",
    "MIT": "MIT",
    "public domain": "LicenseRef-public-domain",
}
OF_VOICES = {"GPL-2", "GPL-2+"}
MAKERS = {  # whom to credit where the list of originals does not name the author of the recording
    "0ad-data": "Wildfire Games",
    "alsa-utils": "the ALSA project",
    "asterisk-moh-opsound-g722": "",
    "csmash-data": "the CannonSmash team",
    "fillets-ng-data-cs": "ALTAR interactive and the Fish Fillets NG team",
    "fillets-ng-data-nl": "the Fish Fillets NG team",
    "fluid-soundfont-gm": "Frank Wen, Toby Smithe (FluidR3_GM)",
    "frozen-bubble-data": "the authors of Frozen Bubble",
    "gnome-shell-pomodoro-data": "Kamil Prusko (gnome-shell-pomodoro)",
    "keyboardsounds": "Thomas Lai (kbsim)",
    "klettres-data": "the KLettres team (KDE)",
    "ktuberling-data": "the KTuberling team (KDE)",
    "lincity-ng-data": "the LinCity-NG team",
    "lugaru-data": "Wolfire Games",
    "megaglest-data": "the MegaGlest team",
    "micropolis-data": "Electronic Arts and the authors of Micropolis",
    "supertuxkart-data": "the SuperTuxKart team",
    "torcs-data": "the TORCS team",
    "tuxpaint-stamps-default": "the Tux Paint team",
    "unknown-horizons": "the Unknown Horizons team",
    "wesnoth-1.16-data": "the Battle for Wesnoth project",
}
SAID_OTHERWISE = {  # file: sound and author, where they do not stand as "sound (author)"
    "csmash": ("English speaker, M", ""),
    "kl_en_GB": ("English speaker, F", ""),
    "mouse_mouse_g502": ("mouse clicks, Logitech G502 X", "the authors of keyboardsounds"),
    "music_moh_macroform_cold_day": ("music: macroform-cold_day", "Paul Shuler (Macroform)"),
    "music_moh_reno_project_system": ("music: reno_project-system", "Reno Project"),
    "music_stk_hacienda": ("music: hacienda", "Claude Werner (bollen)"),
    "thunder_storm_desert2": ("storm rumble, which the package calls rain", ""),
}


def main() -> None:
    """Write the compressed files and their manifests."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} ORIGINALS")
    originals = Path(sys.argv[1])
    with (originals / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["use"] == "ship"]
    backgrounds = [row for row in rows if row["kind"] != "speech"]
    voices = [row for row in rows if row["kind"] == "speech" and row["licence"] in OF_VOICES]
    write(PRESETS / "pool", originals / "background", backgrounds)
    write(PRESETS / "clips" / "voices", originals / "voice", voices)


def write(folder: Path, originals: Path, rows: list[dict[str, str]]) -> None:
    """Write the compressed files of a folder, and a manifest of them."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ogg"):
        old.unlink()
    entries = [entry(row) for row in rows]
    for made in entries:
        x, rate = soundfile.read(originals / f"{Path(made['file']).stem}.flac", dtype="float32")
        soundfile.write(folder / made["file"], x, rate, subtype="VORBIS", compression_level=COMPRESSION)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder.name}: {len(entries)} recordings, {size / 1e6:.1f} MB")


def entry(row: dict[str, str]) -> dict[str, str]:
    """Return the line of the manifest for a line of the list of originals."""
    name = Path(row["path"]).stem
    sound, author = SAID_OTHERWISE.get(name) or divided(row["source"])
    package = row["origin"].split()[1]
    if row["kind"] == "speech":
        sound, author = sound.removesuffix(", ?"), ""  # what stands in brackets is the name of the set
    return {
        "file": f"{name}.ogg",
        "kind": row["kind"],
        "sound": sound,
        "author": author or MAKERS[package],
        "origin": row["origin"],
        "origin_files": row["origin_files"],
        "licence": SPDX[row["licence"]],
        "licence_stated_in": row["licence_stated_in"],
        "cut": row["note"],
    }


def divided(source: str) -> tuple[str, str]:
    """Return what sounds and who recorded it, of "sound (author)"."""
    found = re.fullmatch(r"(.*) \(([^()]*)\)", source)
    if not found:
        return source, ""
    if found[2].startswith("rendered"):
        return f"{found[1]}, sampled", ""
    return found[1], found[2]


if __name__ == "__main__":
    main()
