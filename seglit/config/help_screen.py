"""`seglit fit --help`: the options that people set, on one screen; `--help.all` lists every option."""

import textwrap
from typing import get_args

from seglit.config.named_configs import Group, list_configs

_FIT = """usage: seglit fit --data DATA [--model MODEL] [-c FILE] [options]

Trains a network, and scores its best checkpoint on the test split.
DATA and MODEL are names of configurations, YAML files or classes.

  --data DATA                {data}
  --data.root FOLDER         folder of the data
  --model MODEL              {model}
                             (default: unet)
  -c FILE                    settings in YAML; later files and options win
  --init_from RUN|FILE       start from the weights of a run or another file
  --resume RUN               continue an interrupted run in its folder

  --trainer.max_epochs N     epochs to train (default: 50)
  --minutes N                instead, as many steps as fit into this time
  --patience N               stop after N validations without a better score
  --plan                     print what would be done and its time, and stop

  --data.batch_size N        images per step on each device (default: 8)
  --data.crop_size N|[H,W]   training crops in pixels (default: whole images)
  --data.resize F|[H,W]      use smaller images, by a factor or of a size
  --data.augment NAME|FILE   {augment}
  --data.num_workers N       processes that read images (default: by cores)
  --model.optimizer.lr X     learning rate (default: 0.001)
  --model.criterion CLASS    loss (default: cross-entropy and Dice)
  --model.network.NAME X     setting of the network, such as encoder_weights
  --seed_everything N        random seed (default: 0)

  --trainer.accelerator X    cpu, gpu or mps (default: auto)
  --trainer.devices N        number of devices (default: auto)
  --trainer.precision X      32-true, bf16-mixed, 16-mixed (default: by device)
  --experiment NAME          runs are in runs/NAME (default: name of the file)
  --checkpoint.monitor X     score of the best checkpoint (default: val/miou)

  --help.all                 every option; also --model.network.help CLASS
  --print_config             print the whole configuration and stop"""

_SCORE = """usage: seglit {command} RUN [options]
       seglit {command} -c FILE --ckpt_path CHECKPOINT [options]{exported}

Scores the best checkpoint of a run on the {split} split, in a run folder of
its own. RUN stands for -c RUN/config.yaml --ckpt_path
RUN/checkpoints/best.ckpt; later options override the configuration.

  --ckpt_path CHECKPOINT     another one, such as RUN/checkpoints/last.ckpt
  --data.root FOLDER         where the data is now
  --data.batch_size N        images per step; scores do not depend on it
  --protocol                 also print the mIoU as other tools define it
  --trainer.accelerator X    cpu, gpu or mps (default: auto)
  --trainer.precision X      32-true, bf16-mixed, 16-mixed (default: by device)

  --help.all                 every option
  --print_config             print the whole configuration and stop"""

_PREVIEW = """usage: seglit preview --data DATA [-c FILE] [options of fit]

Draws training images with their masks: as stored, after each step of the
augmentation alone, and as trained on. The options are those of `seglit fit`,
of which those of the data matter; no network is built.

  --output FILE              PNG file to write (default: preview.png)"""

_WIDTH = 80
_LEFT = 29


def help_screen(command: str) -> str:
    """Returns the help of `fit`, `preview`, `validate` or `test`."""
    if command == "preview":
        return _PREVIEW
    if command == "validate":
        return _SCORE.format(command=command, split="validation", exported="")
    if command == "test":
        exported = "\n       seglit test EXPORTED_FILE -c RUN/config.yaml [options]"
        return _SCORE.format(command=command, split="test", exported=exported)
    return _FIT.format(**{group: _wrapped(", ".join(list_configs(group))) for group in get_args(Group)})


def _wrapped(text: str) -> str:
    return f"\n{' ' * _LEFT}".join(textwrap.wrap(text, _WIDTH - _LEFT, break_on_hyphens=False))
