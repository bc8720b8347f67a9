#!/usr/bin/env python3
"""Writes cases.jsonl: what each component of Hugging Face tokenizers makes of odd texts.

usage: make.py OUT [RANDOM_TEXTS [SEED]]

The first line holds the texts and the models that are shared. Every other line is a tokenizer.json
(its "model" may name a shared one) with what it makes of each text: [ids, offsets, decoded], offsets
flat and in code points, or null where the library raises. RANDOM_TEXTS more texts can be added for
a wider sweep than the committed one.
"""
import base64, json, pathlib, random, sys, tempfile
import sentencepiece, tokenizers
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXTS = [
    "", " ", "a", "Hello, world!", "  two  spaces  and\ttab\r\nline ", "don't I'LL we've it's",
    "caf\u00e9 cafe\u0301 \u212b \ufb01ne \u2460 \u00bd", "Stra\u00dfe \u0130stanbul \u01c5 \u1e9e",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002abc\u6f22\u5b57", "\u3072\u3089\u30ab\u30bf\u30fc\u30ca\u6f22 x",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab", "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd \u2764\ufe0f",
    "a\u00a0b\u2003c\u3000d\u200be\u2060f\ufeffg\u180eh", "x\u0000y\u0001z\u007f\u0085\u009f\u00ad",
    "\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff", "o\u0308\u0323\u0304 \u0344 \u0958 e\u0327\u0301",
    "1234567 \u0663\u0664 12.5 \u2167 \u00b2 \U0001d7d8", "$5 +a=b <c> ^`|~ _x_ \u00a7 \u20ac \u00bf\u2014\u2026",
    "Hello, y'all! How are you \U0001f601 ?", "<s>[MASK] x[MASK]y <eos></s> <Tag>", "\u2581a \u2581\u2581b\u2581",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\u0001start \u0301mark", "tokenization tokenizer UNKNOWN zzz",
    "e\u0301\u0301 \ufb01\u0301 k\u00b7\u0300 A\u030a\r\n\u00b5",
]
ALPHABET = (
    list("abcdeinorst ABZ  019.,!?'-_<>/|\t\n\r") + list("\u00a0\u2003\u3000\u200b\u200d\ufe0f\u0301\u0308\u0323\u0327\u0000\u0001\u0085\u00ad")
    + list("\u00e9\u00df\u0130\u1e9e\ufb01\u212b\u2460\u00bd\u4e16\u754c\u3042\u30a2\u30fc\uac00\u1112\u1161\u11ab\u0628\u05e9\u05c1\u0939\u093f\u094d\u0e32\u2581\u2026\u20ac\ufffd")
    + ["\U0001f469", "\U0001f1e9", "\U0001f3fd", "\U00010000", "\U0010ffff", "</s>", "[MASK]", "<eos>", "the ", "'re", "tok"]
)
CORPUS = [
    "The quick brown fox jumps over the lazy dog. It's a token, isn't it?", "tokenization of the text and the tokenizer",
    "caf\u00e9 na\u00efve Stra\u00dfe \u4f60\u597d \u4e16\u754c \u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440", "numbers 123 456 789 and more words, words, words!",
    "we don't know what they've got until it's gone", "<tag> [x] {y} = 5 + 7; // code",
]


RULES = {"\t": " ", "\r\n": " ", "\r": " ", "\n": " ", "\u0001": "", "\u00a0": " ", "\u3000": " ", "\ufb01": "fi", "\u2026": "...",
         "\u212b": "\u00e5", "e\u0301": "\u00e9", "\u00bd": "1\u20442", "\uff0c": ",", "\ufb01\u0301": "F", "\u200b": "", "k\u00b7\u0300": "K"}


def charsmap():
    """RULES as SentencePiece compiles them, in base64."""
    with tempfile.TemporaryDirectory() as folder:
        rules, text = pathlib.Path(folder, "rules.tsv"), pathlib.Path(folder, "text.txt")
        line = lambda s: " ".join("%X" % ord(c) for c in s)
        rules.write_text("".join("%s\t%s\n" % (line(k), line(v)) for k, v in RULES.items()))
        text.write_text("\n".join(CORPUS))
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=folder + "/m", vocab_size=150, hard_vocab_limit=False,
            normalization_rule_tsv=str(rules), minloglevel=2)
        model = ModelProto.FromString(pathlib.Path(folder, "m.model").read_bytes())
        return base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()


def shared_models():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    def trained(model, trainer, split):
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = split
        tokenizer.train_from_iterator(CORPUS * 4, trainer)
        return json.loads(tokenizer.to_str())["model"]
    space = pre_tokenizers.WhitespaceSplit()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return {
        "unknown": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"},
        "bytes": {"type": "BPE", "vocab": {"<0x%02X>" % i: i for i in range(256)}, "merges": [], "byte_fallback": True},
        "letters": trained(models.BPE(), trainers.BpeTrainer(vocab_size=300, initial_alphabet=letters, show_progress=False), byte_level),
        "bpe": trained(models.BPE(unk_token="<unk>", fuse_unk=True), trainers.BpeTrainer(vocab_size=150, special_tokens=["<unk>"], show_progress=False), space),
        "bpe_words": trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
                             trainers.BpeTrainer(vocab_size=150, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False), space),
        "bpe_prefix": trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"),
                              trainers.BpeTrainer(vocab_size=150, special_tokens=["<unk>"], continuing_subword_prefix="##", show_progress=False), space),
        "unigram": trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=120, unk_token="<unk>", special_tokens=["<unk>", "</s>"], show_progress=False), pre_tokenizers.Metaspace()),
        "word_piece": trained(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=12),
                              trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]", "[MASK]"], show_progress=False), pre_tokenizers.BertPreTokenizer()),
        "word_level": trained(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=60, special_tokens=["[UNK]"], show_progress=False), pre_tokenizers.Whitespace()),
    }


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def components(charsmap_base64, models_by_name):
    """Names and tokenizer.json contents."""
    split = lambda pattern, behavior, invert=False: {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
    metaspace = lambda scheme, split_=True: {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": split_}
    bert = lambda **options: dict({"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}, **options)
    byte_level = lambda prefix=False, regex=True, trim=True: {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}
    replace = lambda pattern, content: {"type": "Replace", "pattern": pattern, "content": content}
    added = lambda content, **options: dict({"id": None, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}, **options)
    simple = lambda name: {"type": name}

    normalizers_ = {name: simple(name) for name in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"]}
    normalizers_ |= {
        "Bert": bert(), "BertCased": bert(lowercase=False), "BertKeepsAccents": bert(strip_accents=False),
        "BertUnclean": bert(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
        "Strip": {"type": "Strip", "strip_left": True, "strip_right": True}, "StripLeft": {"type": "Strip", "strip_left": True, "strip_right": False},
        "StripRight": {"type": "Strip", "strip_left": False, "strip_right": True},
        "Prepend": {"type": "Prepend", "prepend": "\u2581_"}, "ReplaceString": replace({"String": "a"}, "\u00e9e"),
        "ReplaceRegex": replace({"Regex": "\\s{2,}|[a-c]+"}, "-"), "ReplaceByNothing": replace({"Regex": "l+|o"}, ""),
        "Precompiled": {"type": "Precompiled", "precompiled_charsmap": charsmap_base64},
        "Sequence": sequence("normalizers", simple("NFKD"), simple("StripAccents"), simple("Lowercase"), replace({"String": " "}, "\u2581"), {"type": "Prepend", "prepend": "\u2581"}),
        "Roundabout": sequence("normalizers", simple("NFD"), simple("NFKC"), bert(), {"type": "Strip", "strip_left": True, "strip_right": True}),
    }
    pre_tokenizers_ = {name: simple(name) for name in ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"]}
    pre_tokenizers_ |= {
        "CharDelimiterSplit": {"type": "CharDelimiterSplit", "delimiter": "e"}, "Digits": {"type": "Digits", "individual_digits": False},
        "IndividualDigits": {"type": "Digits", "individual_digits": True}, "FixedLength": {"type": "FixedLength", "length": 3},
        "MetaspaceAlways": metaspace("always"), "MetaspaceFirst": metaspace("first"), "MetaspaceNever": metaspace("never"), "MetaspaceWhole": metaspace("always", False),
        "SplitInvert": split({"Regex": "[a-z]+"}, "Removed", True), "SplitInvertIsolated": split({"String": "o"}, "Isolated", True),
        "Gpt2": sequence("pretokenizers", split({"Regex": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}, "Isolated")),
        "Classes": split({"Regex": "\\w+|\\d|\\s+"}, "Isolated"), "SetsIntersected": split({"Regex": "[\\p{L}&&[^\\p{Han}a-m]]+"}, "Isolated"),
        "SetsNegated": split({"Regex": "[^\\W\\d_]+|[^\\S ]"}, "Isolated"), "SetsNested": split({"Regex": "[a-c[x-z\\d]]+|[^o[:alpha:][\\s]]"}, "Isolated"),
        "Lines": split({"Regex": "^\\w|\\w$|.(?=\\n)"}, "Isolated"), "Borders": split({"Regex": "\\b[a-z]|[\\h]\\B"}, "Isolated"),
        "DigitsThenPunctuation": sequence("pretokenizers", simple("WhitespaceSplit"), {"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "MergedWithPrevious"}),
        "SpacesThenMetaspace": sequence("pretokenizers", simple("WhitespaceSplit"), metaspace("first")),
    }
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        pre_tokenizers_["Split" + behavior] = split({"Regex": "[ei]|\\s"}, behavior)
        pre_tokenizers_["Punctuation" + behavior] = {"type": "Punctuation", "behavior": behavior}

    for name, step in normalizers_.items():
        yield "normalizer " + name, {"normalizer": step, "model": "bytes"}
    for name, step in pre_tokenizers_.items():
        yield "pre_tokenizer " + name, {"pre_tokenizer": step, "model": "unknown"}

    specials = lambda *names: {name: {"id": name, "ids": [1000 + i], "tokens": [name]} for i, name in enumerate(names)}
    frame = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<a>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<b>", "type_id": 0}}], "pair": [], "special_tokens": specials("<a>", "<b>")}
    cls_sep = {"cls": ["<a>", 1000], "sep": ["<b>", 1001]}
    for prefix in (False, True):
        for trim in (False, True):
            yield "post_processor ByteLevel %d %d" % (prefix, trim), {"pre_tokenizer": byte_level(prefix), "model": "letters", "post_processor": byte_level(prefix, trim=trim), "decoder": byte_level()}
    yield "post_processor Roberta", {"pre_tokenizer": byte_level(True), "model": "letters", "post_processor": dict(cls_sep, type="RobertaProcessing", trim_offsets=True, add_prefix_space=True), "decoder": byte_level()}
    yield "post_processor Bert", {"pre_tokenizer": simple("BertPreTokenizer"), "model": "unknown", "post_processor": dict(cls_sep, type="BertProcessing")}
    yield "post_processor Template", {"pre_tokenizer": byte_level(), "model": "letters", "post_processor": sequence("processors", byte_level(), frame)}

    # Byte-level letters that something else than a byte-level BPE looks at.
    yield "letters Normalizer", {"normalizer": sequence("normalizers", simple("NFC"), simple("ByteLevel")), "model": "letters", "decoder": byte_level()}
    yield "letters SplitAfter", {"pre_tokenizer": sequence("pretokenizers", byte_level(True), split({"Regex": "\u0120|[\u0100-\u0143]+"}, "Isolated")), "model": "letters", "decoder": byte_level()}
    yield "letters WordPiece", {"pre_tokenizer": byte_level(), "model": dict(models_by_name["word_piece"], vocab={"[UNK]": 0, "\u0120": 1, "##t": 2, "H": 3, "##e": 4, "##\u00c3": 5, "##\u00a9": 6, "x": 7, "##l": 8, "##o": 9})}

    tags = [added("<s>", special=True), added("[MASK]", lstrip=True, special=True), added("<eos>", rstrip=True), added("<Tag>", normalized=True),
            added("token", single_word=True), added("[MASK]y", lstrip=True, rstrip=True, single_word=True), added("\u00e9", normalized=True, single_word=True)]
    for name, options in {
        "bpe": {"normalizer": simple("NFC"), "pre_tokenizer": simple("WhitespaceSplit"), "model": "bpe"},
        "bpe_words": {"normalizer": simple("Lowercase"), "pre_tokenizer": simple("BertPreTokenizer"), "model": "bpe_words", "decoder": {"type": "BPEDecoder", "suffix": "</w>"}},
        "bpe_prefix": {"pre_tokenizer": simple("Whitespace"), "model": "bpe_prefix", "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False}},
        "unigram": {"normalizer": simple("NFKC"), "pre_tokenizer": metaspace("always"), "model": "unigram", "decoder": metaspace("always")},
        "unigram_whole": {"normalizer": replace({"String": " "}, "\u2581"), "model": "unigram", "decoder": metaspace("never")},
        "unigram_bytes": {"pre_tokenizer": metaspace("first"), "decoder": sequence("decoders", simple("ByteFallback"), metaspace("always")),
                          "model": dict(models_by_name["unigram"], byte_fallback=True, vocab=models_by_name["unigram"]["vocab"] + [["<0x%02X>" % i, -20.0] for i in range(256)])},
        "word_piece": {"normalizer": bert(), "pre_tokenizer": simple("BertPreTokenizer"), "model": "word_piece", "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}},
        "word_level": {"normalizer": simple("StripAccents"), "pre_tokenizer": simple("Whitespace"), "model": "word_level", "decoder": None},
    }.items():
        yield "model " + name, options
        yield "added " + name, dict(options, added_tokens=[dict(tag) for tag in tags])

    decoders = {
        "Ctc": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "o", "cleanup": True}, "CtcRaw": {"type": "CTC", "pad_token": "l", "word_delimiter_token": "o", "cleanup": False},
        "Fuse": simple("Fuse"), "Strip": {"type": "Strip", "content": "e", "start": 1, "stop": 0}, "Replace": replace({"Regex": "[aeiou]"}, "<v>"), "None": None,
        "WordPieceCleanup": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "Llama": sequence("decoders", replace({"String": "l"}, " "), simple("ByteFallback"), simple("Fuse"), {"type": "Strip", "content": "H", "start": 1, "stop": 0}),
    }
    for name, decoder in decoders.items():
        yield "decoder " + name, {"pre_tokenizer": split({"Regex": "\\s|[!?.,']"}, "Isolated"), "model": "bpe", "decoder": decoder}


def run(tokenizer_json, models_by_name, texts):
    content = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}
    content |= tokenizer_json
    if isinstance(content["model"], str):
        content["model"] = models_by_name[content["model"]]
    vocab = content["model"]["vocab"]
    vocab = {piece[0]: i for i, piece in enumerate(vocab)} if isinstance(vocab, list) else vocab
    for token in content["added_tokens"]:  # the library counts on, whatever a file says
        new = [other["id"] for other in content["added_tokens"] if other["id"] is not None]
        token["id"] = vocab.get(token["content"], max([len(vocab) - 1] + new) + 1)
    tokenizer = Tokenizer.from_str(json.dumps(content))
    for text in texts:
        try:
            encoding = tokenizer.encode(text)
            decoded = tokenizer.decode(encoding.ids, skip_special_tokens=False) if encoding.ids else ""
        except BaseException as error:  # a Rust panic is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            yield None
            continue
        yield [encoding.ids, [border for pair in encoding.offsets for border in pair], decoded]


def main():
    out, count, seed = sys.argv[1], int((sys.argv[2:] + ["0"])[0]), int((sys.argv[3:] + ["1"])[0])
    rng = random.Random(seed)
    texts = TEXTS + ["".join(rng.choices(ALPHABET, k=rng.randint(1, 24))) for _ in range(count)]
    models_by_name = shared_models()
    with open(out, "w") as file:
        write = lambda row: file.write(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n")
        write({"tokenizers": tokenizers.__version__, "texts": texts, "models": models_by_name})
        for name, content in components(charsmap(), models_by_name):
            write({"name": name, "tokenizer": content, "cases": list(run(content, models_by_name, texts))})


if __name__ == "__main__":
    main()
