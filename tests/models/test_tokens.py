import json
import shutil

import pytest

from pipeline.models.registry import Registry
from pipeline.models.tokens import count_tokens
from tests.checkpoints import clip_tokenizer, record_for


@pytest.fixture
def record(tiny_checkpoint):
    return record_for(tiny_checkpoint)


def test_the_count_is_that_of_the_checkpoints_own_tokenizer(record, tiny_checkpoint):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint / "tokenizer_3")
    for text in ("a red house by the sea", "ein Häuschen, 日本 🏠", "x"):
        count = count_tokens(record, text)
        assert count.exact
        assert count.tokens == len(tokenizer(text).input_ids)
        assert count.limit == record.prompt_tokens == 32


def test_a_prompt_that_fits_loses_nothing(record):
    assert count_tokens(record, "a house").cut == ""


def test_a_prompt_that_is_too_long_says_what_is_cut(record):
    text = " ".join(f"house{number}" for number in range(100))
    count = count_tokens(record, text)
    assert count.tokens > count.limit
    assert text.endswith(count.cut)
    assert count_tokens(record, text.removesuffix(count.cut)).tokens <= count.limit


def test_the_encoder_that_reads_longest_is_the_one_that_counts(tiny_checkpoint, tmp_path):
    folder = tmp_path / "checkpoint"
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(tiny_checkpoint / name, folder / name)
    without_t5, whole = record_for(folder), record_for(tiny_checkpoint)
    text = "a red house by the sea at night"
    assert count_tokens(without_t5, text).exact
    assert count_tokens(without_t5, text).tokens != count_tokens(whole, text).tokens


def test_padding_and_cutting_set_in_the_file_do_not_change_the_count(tiny_checkpoint, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint / "tokenizer_3", folder / "tokenizer_3")
    path = folder / "tokenizer_3" / "tokenizer.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    path.write_text(json.dumps(settings), encoding="utf-8")
    text = "a red house by the sea at night"
    assert count_tokens(record_for(folder), text) == count_tokens(record_for(tiny_checkpoint), text)


def test_without_the_tokenizer_the_count_is_an_estimate(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    count = count_tokens(Registry.read().find("3.5-medium"), "a red house by the sea")
    assert (count.exact, count.limit, count.cut) == (False, 256, "")
    assert 5 <= count.tokens <= 9


def test_a_damaged_tokenizer_gives_an_estimate(tmp_path):
    path = tmp_path / "tokenizer_3" / "tokenizer.json"
    path.parent.mkdir()
    path.write_text("{")
    assert not count_tokens(record_for(tmp_path), "a house").exact


def test_an_empty_prompt_has_only_the_marks_of_the_encoder(record):
    assert count_tokens(record, "").tokens <= 2


def test_the_two_files_of_older_clip_repositories_count_as_transformers_does(tmp_path):
    from transformers import CLIPTokenizer

    alphabet = [token for token, _ in sorted(clip_tokenizer().get_vocab().items(), key=lambda entry: entry[1])]
    merges = [("h", "o"), ("ho", "u"), ("s", "e</w>"), ("hou", "se</w>")]
    vocabulary = {token: index for index, token in enumerate([*alphabet, *("".join(pair) for pair in merges)])}
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "CLIPTokenizer"}')
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges)
    for text in ("a red House by the sea, 12°", "it's  ein Häuschen 🏠", "", "houses"):
        count = count_tokens(record_for(tmp_path), text)
        assert (count.exact, count.tokens) == (True, len(tokenizer(text).input_ids))


def test_a_tokenizer_in_another_repository_of_the_record_counts(tiny_checkpoint, tmp_path):
    (tmp_path / "decoder").mkdir()
    record = record_for(tmp_path / "decoder", parts={"prior_": str(tiny_checkpoint)})
    assert count_tokens(record, "a house").exact


def test_a_tokenizer_that_only_its_own_library_reads_gives_an_estimate_and_not_the_count_of_a_shorter_one(
    tiny_checkpoint, tmp_path
):
    shutil.copytree(tiny_checkpoint / "tokenizer", tmp_path / "tokenizer")
    longest = tmp_path / "tokenizer_3"
    longest.mkdir()
    (longest / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}')
    (longest / "spiece.model").write_bytes(b"\n")
    assert not count_tokens(record_for(tmp_path), "a house").exact


def test_the_marks_of_prompt_weights_are_no_tokens(record):
    assert count_tokens(record, "a (red:1.3) house") == count_tokens(record, "a red house")
