"""The four methods that the benchmarks of adapters compare."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import training  # noqa: E402

METHODS = {
    "lora": ["adapter.method=lora"],
    "dora": ["adapter.method=dora"],
    "qlora": ["adapter.method=lora", "model.quantization=nf4"],
    "qdora": ["adapter.method=dora", "model.quantization=nf4"],
}


def parser_of(script):
    """The arguments that each benchmark has. @param script its docstring"""
    parser = training.parser_of(script)
    parser.add_argument("--methods", default=",".join(METHODS))
    return parser


def train(arguments, method, *overrides):
    return training.train(arguments, method, *METHODS[method], *overrides)
