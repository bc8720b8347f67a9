#include "datasets/audit/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"
#include "datasets/audit/checks.h"
#include "datasets/audit/number_formats.h"
#include "datasets/audit/text_faults.h"
#include "io/row_reader.h"
#include "io/utf8.h"
#include "tokenizer/utf8.h"

namespace hone::datasets::audit {
namespace {

std::int32_t narrow(std::int64_t value) {
  return static_cast<std::int32_t>(
      std::min<std::int64_t>(value, std::numeric_limits<std::int32_t>::max()));
}

/// All that is made of a row on a worker's thread.
struct Seen {
  RowFacts facts;
  Bands bands{};
  std::array<ScriptCounts, kScripts> scripts{};
  std::vector<std::pair<std::size_t, std::string>> found;  // check, what it found
};

void count_characters(std::string_view text, Seen& seen) {
  for (std::size_t i = 0; i < text.size();) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, i);
    ++seen.scripts[static_cast<std::size_t>(script_of(c.value))].characters;
    i += c.size_bytes;
  }
}

/// The script of the first letter that a token stands for.
Script script_of_token(std::string_view text, tokenizer::TextRange range) {
  for (std::size_t i = range.begin; i < range.end;) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, i);
    if (const Script script = script_of(c.value); script != Script::kNone) return script;
    i += c.size_bytes;
  }
  return Script::kNone;
}

/// Tokens of a passage by itself; what a chat template adds is not counted.
std::int64_t count_tokens(const Passage& passage, const Lookups& lookups, Seen& seen) {
  if (lookups.tokenizer == nullptr) return 0;
  const tokenizer::Encoding encoding = lookups.tokenizer->encode(
      passage.text, {.literal = {tokenizer::TextRange{0, passage.text.size()}}});
  for (const tokenizer::TextRange range : encoding.offsets)
    ++seen.scripts[static_cast<std::size_t>(script_of_token(passage.text, range))].tokens;
  return static_cast<std::int64_t>(encoding.ids.size());
}

void measure(const RowText& row, const Lookups& lookups, Seen& seen) {
  RowFacts& facts = seen.facts;
  std::int64_t tokens = 0, answers = 0, characters = 0;
  for (const Passage& passage : row.passages) {
    const std::int64_t count = count_tokens(passage, lookups, seen);
    const auto length = static_cast<std::int64_t>(io::count_code_points(passage.text));
    const std::int64_t size = lookups.tokenizer != nullptr ? count : length;
    tokens += count;
    characters += length;
    if (passage.side == Side::kResponse) facts.response_size = narrow(size);
    if (passage.side == Side::kRejected) facts.rejected_size = narrow(size);
    if (passage.is_answer() || passage.side == Side::kText) answers += count;
    if (passage.is_answer()) facts.number_styles |= number_styles(passage.text);
    count_characters(passage.text, seen);
  }
  facts.tokens = narrow(tokens);
  facts.answer_tokens = narrow(answers);
  facts.prompt_tokens = narrow(tokens - answers);
  facts.characters = narrow(characters);
  facts.texts = static_cast<std::uint16_t>(std::min<std::size_t>(row.passages.size(), 0xFFFF));
  const auto most = std::max_element(
      seen.scripts.begin() + 1, seen.scripts.end(),
      [](const ScriptCounts& a, const ScriptCounts& b) { return a.characters < b.characters; });
  if (most->characters > 0) facts.script = static_cast<Script>(most - seen.scripts.begin());
  ++seen.scripts[static_cast<std::size_t>(facts.script)].rows;
}

Seen look_at(const InputRow& input, const Lookups& lookups) {
  Seen seen;
  seen.facts.number = input.number;
  seen.facts.file = input.file;
  RowText row{};
  if (input.record) {
    row = row_text(*input.record, lookups.tokenizer);
    seen.facts.is_readable = true;
    seen.facts.kind = row.kind;
    seen.facts.keys = row_keys(*input.record, row);
    if (row.label) seen.facts.label = *row.label;
    measure(row, lookups, seen);
    if (const ShingleSet set = shingles(content_words(row)); !set.empty()) {
      seen.bands = minhash_bands(set);
      seen.facts.has_words = true;
    }
  }
  const RowScope scope{row, seen.facts.keys, input.problem, lookups};
  const std::span<const Check> table = checks();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].in_row == nullptr) continue;
    if (std::optional<std::string> found = table[i].in_row(scope)) {
      seen.facts.hits |= std::uint64_t{1} << i;
      seen.found.emplace_back(i, std::move(*found));
    }
  }
  return seen;
}

void add(Corpus& corpus, Seen& seen) {
  const auto index = static_cast<std::int64_t>(corpus.rows.size());
  corpus.rows.push_back(seen.facts);
  corpus.bands.push_back(seen.bands);
  for (std::size_t s = 0; s < kScripts; ++s) {
    corpus.scripts[s].rows += seen.scripts[s].rows;
    corpus.scripts[s].characters += seen.scripts[s].characters;
    corpus.scripts[s].tokens += seen.scripts[s].tokens;
  }
  for (auto& [check, found] : seen.found) {
    if (corpus.exhibits[check].size() >= kExhibits) continue;
    corpus.exhibits[check].push_back({index, corpus.place(index), std::move(found), ""});
  }
}

/// Every text in a row, however deep.
void visit_texts(const Row& value, const std::function<void(const std::string&)>& visit) {
  if (value.is_string()) {
    visit(value.get_ref<const std::string&>());
  } else if (value.is_structured()) {
    for (const Row& item : value) visit_texts(item, visit);
  }
}

}  // namespace

std::string Corpus::place(std::int64_t row) const {
  const RowFacts& facts = rows[static_cast<std::size_t>(row)];
  return fmt::format("{}:{}", input.files[static_cast<std::size_t>(facts.file)], facts.number);
}

std::vector<std::uint64_t> content_words(const RowText& row) {
  std::vector<std::uint64_t> words;
  for (const Passage& passage : row.passages) {
    if (passage.side == Side::kSystem) continue;
    const std::vector<std::uint64_t> more = word_hashes(passage.text);
    words.insert(words.end(), more.begin(), more.end());
  }
  return words;
}

Corpus read_corpus(const Input& input, const Lookups& lookups) {
  Corpus corpus;
  corpus.input = input;
  corpus.has_tokens = lookups.tokenizer != nullptr;
  corpus.exhibits.resize(checks().size());
  std::vector<Seen> seen(kBlockRows);
  for_each_row(input, {.work = [&](InputRow& row,
                                   std::size_t place) { seen[place] = look_at(row, lookups); },
                       .take = [&](InputRow&, std::size_t place) { add(corpus, seen[place]); }});
  return corpus;
}

BenchmarkIndex read_benchmark(const std::vector<std::string>& files,
                              std::vector<std::string>& places) {
  BenchmarkIndex index;
  for (const std::string& file : files) {
    const std::unique_ptr<io::RowReader> reader = io::open_rows(file);
    for (io::RawRow raw; reader->next(raw); raw = {}) {
      const auto item = static_cast<std::int64_t>(places.size());
      places.push_back(fmt::format("{}:{}", file, raw.number));
      visit_texts(reader->parse(std::move(raw)),
                  [&](const std::string& text) { index.add(word_hashes(text), item); });
    }
  }
  HONE_CHECK(DataError, files.empty() || index.texts() > 0,
             "the benchmark files have no text; expected rows with texts under any keys");
  return index;
}

void quote(const Input& input, const tokenizer::Tokenizer* tokenizer,
           const std::vector<Exhibit*>& exhibits) {
  std::multimap<std::int64_t, Exhibit*> wanted;
  for (Exhibit* exhibit : exhibits) wanted.emplace(exhibit->row, exhibit);
  if (wanted.empty()) return;
  for_each_row(input, {.wants = [&](std::int64_t row) { return wanted.contains(row); },
                       .take =
                           [&](InputRow& row, std::size_t) {
                             if (!row.record) return;
                             const RowText text = row_text(*row.record, tokenizer);
                             const Passage* shown = text.last(Side::kPrompt);
                             if (shown == nullptr && !text.passages.empty())
                               shown = &text.passages.front();
                             if (shown == nullptr) return;
                             const auto [first, last] = wanted.equal_range(row.index);
                             for (auto item = first; item != last; ++item)
                               item->second->excerpt = excerpt(shown->text, 100);
                           }});
}

}  // namespace hone::datasets::audit
