#!/usr/bin/env python3
"""Trains tiny SentencePiece models and writes what the sentencepiece library makes of odd texts.

usage: make.py FOLDER [RANDOM_TEXTS [SEED]]

For each model NAME.model and NAME.jsonl: the first line holds the texts, the others [ids, decoded]
for each; "decoded" is null where an id is unknown. The texts are those of ../components/make.py.
"""
import json, pathlib, random, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "components"))
import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from make import ALPHABET, CORPUS, RULES, TEXTS

# Like Llama's, T5's, and two that no model has, for the options that are left.
MODELS = {
    "llama": dict(model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                  split_digits=True, user_defined_symbols=["<sep>", "  ", "tok"], control_symbols=["<ctl>"]),
    "t5": dict(model_type="unigram", vocab_size=160, normalization_rule_tsv="RULES", unk_id=2, eos_id=1, pad_id=0, bos_id=-1, user_defined_symbols=["<Tag>", "ize"]),
    "suffix": dict(model_type="unigram", vocab_size=440, byte_fallback=True, normalization_rule_name="identity", treat_whitespace_as_suffix=True, remove_extra_whitespaces=False),
    "plain": dict(model_type="bpe", vocab_size=150, normalization_rule_tsv="RULES", add_dummy_prefix=False, remove_extra_whitespaces=True),
}


def train(name, options):
    with tempfile.TemporaryDirectory() as folder:
        rules, text = pathlib.Path(folder, "rules.tsv"), pathlib.Path(folder, "text.txt")
        line = lambda s: " ".join("%X" % ord(c) for c in s)
        rules.write_text("".join("%s\t%s\n" % (line(k), line(v)) for k, v in RULES.items()))
        text.write_text("\n".join(CORPUS * 3))
        options = {k: str(rules) if v == "RULES" else v for k, v in options.items()}
        sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=folder + "/m", hard_vocab_limit=False, num_threads=1, minloglevel=2, **options)
        model = ModelProto.FromString(pathlib.Path(folder, "m.model").read_bytes())
    del model.trainer_spec.input[:]  # the places where the trainer found its files
    model.trainer_spec.model_prefix = name
    model.normalizer_spec.normalization_rule_tsv = ""
    if name == "plain":  # what the trainer never does by itself
        longer = [piece for piece in model.pieces if piece.type == 1 and len(piece.piece) > 2]
        for piece in longer[::3]:
            piece.type = 5
    return model.SerializeToString()


def main():
    folder, count, seed = pathlib.Path(sys.argv[1]), int((sys.argv[2:] + ["0"])[0]), int((sys.argv[3:] + ["1"])[0])
    rng = random.Random(seed)
    texts = TEXTS + ["".join(rng.choices(ALPHABET + ["<sep>", "<ctl>", "token", "ize", "  "], k=rng.randint(1, 30))) for _ in range(count)]
    for name, options in MODELS.items():
        content = train(name, options)
        (folder / (name + ".model")).write_bytes(content)
        model = sentencepiece.SentencePieceProcessor(model_proto=content)
        with open(folder / (name + ".jsonl"), "w") as file:
            file.write(json.dumps({"sentencepiece": sentencepiece.__version__, "texts": texts}) + "\n")
            for text in texts:
                ids = model.encode(text)
                file.write(json.dumps([ids, None if model.unk_id() in ids else model.decode(ids)]) + "\n")


if __name__ == "__main__":
    main()
