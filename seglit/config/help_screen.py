"""`seglit fit --help`: the options that people set, on one screen; `--help.all` lists every option."""

import textwrap
from typing import get_args

from seglit.config.named_configs import Group, list_configs

_FIT = """usage: seglit fit --data DATA [--model MODEL] [-c FILE] [options]

Trains a network, scores the best checkpoint on the test split, and prints the run folder.
DATA and MODEL are names of configurations, YAML files or classes.

  --data DATA                 {data}
  --data.root FOLDER          folder of the data
  --model MODEL               {model}
                              (default: unet)
  -c FILE                     settings in YAML; later files and options override earlier ones
  --init_from RUN             start from the weights of a run or checkpoint
  --resume RUN                continue an interrupted run in its folder

  --trainer.max_epochs N      epochs, over which the learning rate decays (default: 50)
  --minutes N                 as many steps as fit into this time instead
  --patience N                stop after N validations without a better score
  --plan                      print what would be done and how long it takes, and stop

  --data.batch_size N         images per step on each device (default: 8)
  --data.crop_size N|[H,W]    pixels of the training crops (default: whole images)
  --data.resize F|[H,W]       train and evaluate on smaller images, by a factor or of a size
  --data.augment NAME|FILE    {augment}
  --data.num_workers N        processes that read images (default: by the number of cores)
  --model.optimizer.lr X      learning rate (default: 0.001)
  --model.criterion CLASS     loss, such as seglit.losses.Focal (default: cross-entropy and Dice)
  --model.network.NAME VALUE  setting of the network, such as encoder_weights imagenet
  --seed_everything N         random seed (default: 0)

  --trainer.accelerator NAME  cpu, gpu or mps (default: auto)
  --trainer.devices N         number of devices (default: auto)
  --trainer.precision NAME    32-true, bf16-mixed, 16-mixed (default: the device's fastest)
  --experiment NAME           runs are in runs/NAME (default: name of the first file)
  --checkpoint.monitor SCORE  what selects the best checkpoint (default: val/miou)

  --help.all                  every option; --data.help CLASS, --model.network.help CLASS
  --print_config              print the whole configuration and stop"""

_SCORE = """usage: seglit {command} RUN [options]
       seglit {command} -c FILE --ckpt_path CHECKPOINT [options]

Scores the best checkpoint of a run on the {split} split, in a run folder of its own. RUN stands for
-c RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt; later options override the configuration.

  --ckpt_path CHECKPOINT      another checkpoint, such as RUN/checkpoints/last.ckpt
  --data.root FOLDER          where the data is now
  --data.batch_size N         images per step on each device; scores do not depend on it
  --protocol                  also print the mIoU as other tools define it
  --trainer.accelerator NAME  cpu, gpu or mps
  --trainer.precision NAME    32-true, bf16-mixed, 16-mixed

  --help.all                  every option
  --print_config              print the whole configuration and stop"""

_WIDTH = 100
_LEFT = 30


def help_screen(command: str) -> str:
    """Returns the help of `fit`, `validate` or `test`."""
    if command != "fit":
        return _SCORE.format(command=command, split="validation" if command == "validate" else "test")
    return _FIT.format(**{group: _wrapped(", ".join(list_configs(group))) for group in get_args(Group)})


def _wrapped(text: str) -> str:
    return f"\n{' ' * _LEFT}".join(textwrap.wrap(text, _WIDTH - _LEFT, break_on_hyphens=False))
