"""From a configuration to a model of transformers, and from a model to named arrays and back.

Nothing is downloaded and no code but that of transformers runs: models come from configurations or from folders,
weights from safetensors. Attention is the plain one, always: which of the fused routines would be chosen depends
on shapes and builds, and so would the last bits.
"""

from __future__ import annotations

import contextlib
import difflib
import glob
import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from stackc.api import ArtifactError, StackcError, read_tensors, write_atomically, write_tensors

WEIGHTS, MADE = "float.safetensors", "model.json"

BESIDE = 1 << 28
"""Bytes of a stored model's tables besides its weights, or as many as those: some depend on settings alone, such as a
mask of all positions by all positions."""

OWN = ("model_type", "vocab_size", "bos_token_id", "eos_token_id", "pad_token_id", "dtype", "attn_implementation")
"""Settings that this backend makes itself."""

EXPLICIT: dict[str, Any] = {"trust_remote_code": False, "dtype": torch.float32, "attn_implementation": "eager"}


class Described(Protocol):
    """The fields that a model is made from: `stackc_torch.hf.config.Hf`, which imports this module late."""

    @property
    def model_type(self) -> str: ...

    @property
    def checkpoint(self) -> str | tuple[str, ...]: ...

    @property
    def context(self) -> int: ...

    def overrides(self) -> dict[str, Any]:
        """Settings of the model's configuration."""


REFUSALS = (
    OSError, ValueError, TypeError, AttributeError, RuntimeError, ImportError, ArithmeticError, LookupError,
    StrictDataclassError,
)  # fmt: skip
"""The exceptions of transformers for configurations from which it cannot make a model, or cannot run it."""


def configuration_problems(model_type: str, given: dict[str, Any], context: int) -> list[str]:
    """``field: what is wrong`` lines of a model from a configuration, empty if there is no problem."""
    if model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        hint = _nearest(model_type, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
        return [f"model_type: transformers has no causal language model {model_type!r}{hint}"]
    kind = transformers.AutoConfig.for_model(model_type)
    known = sorted({*kind.to_dict(), *kind.attribute_map} - set(OWN))
    found = []
    for key in given:
        if key in OWN:
            found.append(f"settings: {key} is not for a recipe to set; remove it")
        elif key not in known:
            found.append(f"settings: a {model_type} has no setting {key!r}{_nearest(key, known)}")
    if found:
        return found
    try:
        config = transformers.AutoConfig.for_model(model_type, **given)
    except REFUSALS as error:
        return [f"settings: {_one_line(error)}"]
    too_long = context_problem(config, context)
    return [too_long] if too_long else []


def making_problem(config: Described, alphabet: int) -> str | None:
    """``field: what is wrong`` if no model can be made of the settings, which transformers finds out only as it makes
    one: sizes that do not fit each other, or an unknown activation. None if there is no problem, or no telling."""
    try:
        unmade(config, alphabet)
    except ImportError:  # of a package that this architecture needs: a stack of it may be looked at without
        return None
    except REFUSALS as error:
        # Some models compute with numbers as they are made, which the meta device has not: they can be made elsewhere.
        numbers = isinstance(error, RuntimeError) and "meta" in str(error).lower()
        return None if numbers else f"settings: transformers cannot make a model of them: {_one_line(error)}"
    return None


def _nearest(name: str, known: Iterable[str]) -> str:
    """What to try instead of an unknown name."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def context_problem(config: Any, context: int) -> str | None:
    """Why the model cannot see `context` positions; None if it can."""
    limit = getattr(config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit < 1 or context <= limit:
        return None
    name = config.attribute_map.get("max_position_embeddings", "max_position_embeddings")
    return f"context: {context} is more than the {limit} positions that the model has ({name})"


def checkpoint_folder(checkpoint: str | tuple[str, ...]) -> Path | None:
    """The folder of the checkpoint; None without a checkpoint.

    Raises:
        StackcError: not one folder, or not one with a model in safetensors.
    """
    patterns = (checkpoint,) if isinstance(checkpoint, str) else checkpoint
    if not patterns:
        return None
    found = [Path(name) for pattern in patterns for name in glob.glob(pattern)]
    if len(found) != 1 or not found[0].is_dir():
        what = f"{len(found)} files and folders" if found else "nothing"
        raise StackcError(f"hf: checkpoint {', '.join(patterns)}: {what} there; give one folder, nothing is downloaded")
    folder = found[0]
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise StackcError(f"hf: checkpoint {folder}: needs config.json and weights as .safetensors (save_pretrained)")
    return folder


def checkpoint_fingerprint(folder: Path) -> str:
    """A hash of the configuration and the weights in the folder."""
    total = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors*")]):
        with path.open("rb") as file:
            total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def fresh(config: Described, alphabet: int) -> Any:
    """The model before training, in float32 on the CPU; new weights are drawn from torch's random state.

    Raises:
        StackcError: transformers cannot make a model of the configuration, or not one that codes.
    """
    folder = checkpoint_folder(config.checkpoint)
    try:
        if folder is not None:
            with _no_progress_bars():
                model, found = transformers.AutoModelForCausalLM.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **EXPLICIT
                )
            if found["missing_keys"]:
                lacks = ", ".join(sorted(found["missing_keys"])[:3])
                raise StackcError(f"hf: checkpoint {folder}: no weights for {lacks}: not a whole causal language model")
            _grow(model, alphabet)
        else:
            model = of_config(_configuration(config, alphabet))
        too_long = context_problem(model.config, config.context)
        if too_long:
            raise StackcError(f"hf: {too_long}")
        _check_causal(model.eval(), alphabet, config.context)
    except REFUSALS as error:
        where = folder or "model_type and settings"
        raise StackcError(f"hf: transformers cannot make a model of {where}: {_one_line(error)}") from error
    return model


def unmade(config: Described, alphabet: int) -> Any:
    """The model of `fresh` on torch's meta device, so without its numbers; of a checkpoint only config.json is read.

    Raises:
        StackcError: the checkpoint is not there; also whatever of `REFUSALS` transformers says.
    """
    folder = checkpoint_folder(config.checkpoint)
    if folder is None:
        made = _configuration(config, alphabet)
    else:
        made = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = of_config(made)
        _grow(model, alphabet)
    return model.eval()


def _configuration(config: Described, alphabet: int) -> Any:
    """Of a model that no checkpoint holds."""
    # No padding token: its embedding would never be trained.
    ids = {"bos_token_id": alphabet, "eos_token_id": alphabet, "pad_token_id": None}
    settings = {**config.overrides(), "vocab_size": alphabet + 1, **ids}
    return transformers.AutoConfig.for_model(config.model_type, **settings)


def of_config(config: Any) -> Any:
    """The model of settings, on the current device. Raises `ValueError` if a weight has no numbers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        model = transformers.AutoModelForCausalLM.from_config(config, **EXPLICIT)
    empty = [name for name, tensor in model.named_parameters() if not tensor.numel()]
    if empty:
        raise ValueError(f"{empty[0]} has no numbers: a size is 0")
    return model


def _grow(model: Any, alphabet: int) -> None:
    """Give a checkpoint's model as many tokens as are needed, if it has fewer."""
    if model.config.vocab_size <= alphabet:
        model.resize_token_embeddings(alphabet + 1, mean_resizing=False)


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    """A build shows its own progress."""
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers.utils.logging.enable_progress_bar()


@torch.no_grad()
def _check_causal(model: Any, alphabet: int, context: int) -> None:
    """Raise `StackcError` if the model's output at a position depends on later symbols."""
    inputs = torch.full((1, min(8, context)), alphabet)
    first = model(input_ids=inputs, use_cache=False).logits[:, :-1]
    inputs[0, -1] = 0
    second = model(input_ids=inputs, use_cache=False).logits[:, :-1]
    # The same calls of the same shape: of a causal model, equal but for what a router may group otherwise.
    if float((first - second).abs().max()) > 1e-5 * float(first.abs().max()):
        raise StackcError(
            f"hf: this {model.config.model_type} sees what comes next, so it cannot code; some become causal with "
            "is_decoder=true in settings"
        )


def named(model: Any) -> dict[str, Tensor]:
    """Everything that the model keeps, each tensor once though it may have two names (tied weights)."""
    once = {name for name, _ in model.named_parameters()}
    again = {name for name, _ in model.named_parameters(remove_duplicate=False)} - once
    return {name: tensor for name, tensor in model.state_dict().items() if name not in again}


def arrays(model: Any) -> dict[str, Any]:
    """`named` as separate arrays."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in named(model).items()}


@torch.no_grad()
def fill(model: Any, found: dict[str, Any], where: Path) -> None:
    """The reverse of `arrays`. Raises `ArtifactError` for other names or shapes."""
    tensors = _matching(model, found, where)
    for name, tensor in tensors.items():
        tensor.copy_(torch.from_numpy(np.array(found[name])).view(tensor.shape))


def _matching(model: Any, found: dict[str, Any], where: Path) -> dict[str, Tensor]:
    """What the model keeps, if the arrays have the same names and shapes."""
    tensors = named(model)
    # A file holds single numbers as arrays of one.
    if {name: tuple(t.shape) or (1,) for name, t in tensors.items()} != {n: a.shape for n, a in found.items()}:
        raise _other_weights(where)
    return tensors


def _other_weights(where: Path) -> ArtifactError:
    return ArtifactError(f"{where}: weights of another configuration; build the stack again")


def save(model: Any, folder: Path) -> None:
    """Write weights and configuration, and under which version of transformers they hold."""
    config = json.loads(model.config.to_json_string(use_diff=True))
    for name in ("_name_or_path", "transformers_version", "architectures"):
        config.pop(name, None)  # the first is where a checkpoint lay
    made = {"transformers": transformers.__version__, "config": config}
    with write_atomically(folder / MADE) as file:
        file.write(json.dumps(made, indent=1, sort_keys=True).encode())
    write_tensors(folder / WEIGHTS, arrays(model))


def copy(trained: Path, folder: Path) -> None:
    """Copy what `save` wrote."""
    with write_atomically(folder / MADE) as file:
        file.write((trained / MADE).read_bytes())
    write_tensors(folder / WEIGHTS, read_tensors(trained / WEIGHTS))


def load(folder: Path, alphabet: int, context: int) -> Any:
    """The model that `save` wrote, in evaluation mode on the CPU.

    Raises:
        ArtifactError: damaged, of another alphabet or a shorter context, or of another version of transformers.
    """
    try:
        made = json.loads((folder / MADE).read_text())
        version, settings = str(made["transformers"]), dict(made["config"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{folder / MADE}: not readable ({_one_line(error)}); build the stack again") from error
    if version != transformers.__version__:
        raise ArtifactError(
            f"{folder}: its outputs are valid for transformers {version} (found {transformers.__version__}): "
            f"pip install transformers=={version}, or build the stack again"
        )
    found, weights = read_tensors(folder / WEIGHTS), folder / WEIGHTS
    try:
        config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
        with torch.device("meta"):
            _check_sizes(_of_settings(config, alphabet, context, found, folder), found, weights)
        model = of_config(config)
    except REFUSALS as error:
        raise ArtifactError(f"{folder / MADE}: no model ({_one_line(error)}); build the stack again") from error
    fill(model, found, weights)
    return model.eval()


def _check_sizes(model: Any, found: dict[str, Any], where: Path) -> None:
    """Compare a model without numbers with the weights; it may need little besides them, such as masks."""
    kept = sum(tensor.nbytes for tensor in _matching(model, found, where).values())
    if sum(buffer.nbytes for buffer in model.buffers()) > max(BESIDE, kept):
        raise ArtifactError(f"{where}: its settings need more memory than its weights; build the stack again")


def _of_settings(config: Any, alphabet: int, context: int, found: dict[str, Any], folder: Path) -> Any:
    """The model of the settings, to be made without its numbers: a few digits of them may ask for terabytes.

    Raises:
        ArtifactError: of another alphabet, a shorter context, or more layers than there are weights.
    """
    if (getattr(config, "num_hidden_layers", None) or 0) > len(found):
        raise _other_weights(folder / WEIGHTS)
    model = of_config(config)
    tokens = model.config.vocab_size
    if tokens <= alphabet:
        raise ArtifactError(f"{folder}: a model of {tokens} tokens, wanted for {alphabet} and one more")
    too_long = context_problem(model.config, context)
    if too_long:
        raise ArtifactError(f"{folder}: {too_long}")
    return model


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]} …"
