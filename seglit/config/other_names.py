"""Names of settings in other tools."""

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "trainer.max_epochs": ("epochs", "epoch", "num_epochs", "n_epochs"),
    "trainer.max_steps": ("steps", "iterations", "iters", "max_iters", "num_steps"),
    "data.batch_size": ("batch", "bs"),
    "data.crop_size": ("imgsz", "img_size", "image_size", "input_size", "patch_size", "size"),
    "data.resize": ("imgsz", "img_size", "image_size", "input_size", "size"),
    "data.num_workers": ("workers",),
    "data.root": ("data_dir", "data_root", "dataset"),
    "data.augment": ("aug", "augmentation", "transforms"),
    "model.optimizer.lr": ("lr", "lr0", "learning_rate"),
    "model.optimizer.weight_decay": ("wd", "weight_decay"),
    "model.criterion": ("loss",),
    "model.network": ("arch", "architecture", "net"),
    "model.network.encoder_name": ("backbone", "encoder", "encoder_name"),
    "model.network.encoder_weights": ("encoder_weights", "pretrained"),
    "model.scheduler": ("lr_scheduler", "schedule"),
    "seed_everything": ("seed", "random_seed", "random_state"),
    "trainer.accelerator": ("device",),
    "trainer.devices": ("device", "gpu", "gpus", "num_gpus"),
    "trainer.precision": ("amp", "bf16", "fp16", "half"),
    "trainer.gradient_clip_val": ("clip", "clip_grad", "grad_clip"),
    "trainer.accumulate_grad_batches": ("accumulate", "grad_accum", "gradient_accumulation_steps"),
    "trainer.default_root_dir": ("output", "output_dir", "out", "save_dir", "work_dir", "project"),
    "trainer.logger": ("log", "wandb"),
    "experiment": ("name", "run_name"),
    "ckpt_path": ("ckpt", "checkpoint_path"),
    "init_from": ("weights",),
    "patience": ("early_stopping",),
    "minutes": ("max_time", "time"),
}
"""Setting to its names in other tools."""


def real_names(name: str) -> list[str]:
    """Returns the settings that other tools call by this name."""
    return [setting for setting, names in OTHER_NAMES.items() if name in names]
