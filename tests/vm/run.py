"""Runs the stories: `run.py CACHE WHATSIM STORY...`. Leaves pictures, and after a failure the rest
of the evidence, in CACHE/last/STORY."""

import os
import shutil
import sys
import time

import face
import package
import power
import stage

STORIES = {"face": face.run, "power": power.run, "package": package.run}


def main():
    cache, whatsim, *names = sys.argv[1:]
    for name in names:
        run = f"{cache}/last/{name}"
        shutil.rmtree(run, ignore_errors=True)
        os.makedirs(run)
        print(f"== {name}", flush=True)
        began = time.monotonic()
        scene = stage.Stage(cache, run, whatsim)
        try:
            STORIES[name](scene)
        except BaseException as error:
            print(f"FAILED after {time.monotonic() - began:.0f} s: {error}", flush=True)
            scene.autopsy()
            raise
        finally:
            scene.close()
            os.remove(f"{run}/card")
        print(f"== {name}: green in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
