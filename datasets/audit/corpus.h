#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/audit/benchmark.h"
#include "datasets/audit/input.h"
#include "datasets/audit/minhash.h"
#include "datasets/audit/passages.h"
#include "datasets/audit/script.h"

namespace hone::datasets::audit {

/// What a pass remembers of a row: 104 bytes, and 80 more for its bands.
struct RowFacts {
  std::int64_t number = 0;
  std::uint64_t hits = 0;  ///< bit i: check i of the table found something (checks.h)
  std::int32_t file = 0;
  RowKeys keys{};
  std::int32_t tokens = 0, prompt_tokens = 0, answer_tokens = 0;
  std::int32_t response_size = 0, rejected_size = 0;  ///< tokens, or characters without tokenizer
  std::int32_t characters = 0;
  std::uint16_t texts = 0;  ///< messages, answers, …
  std::uint16_t number_styles = 0;
  RecordKind kind{};
  Script script = Script::kNone;  ///< of most of its letters
  std::int8_t label = -1;         ///< of an unpaired preference; -1: none
  bool is_readable = false;
  bool has_words = false;  ///< has bands
};

static_assert(sizeof(RowFacts) == 104 && sizeof(Bands) == 80, "the comments here say so");

/// A row that shows what a check found.
struct Exhibit {
  std::int64_t row;     ///< index in its corpus
  std::string place;    ///< "file:row"
  std::string found;    ///< in a few words
  std::string excerpt;  ///< of the row; "" where `found` says it all
};
inline constexpr std::size_t kExhibits = 5;

/// Characters and tokens of one script.
struct ScriptCounts {
  std::int64_t rows = 0;  ///< whose main script it is
  std::int64_t characters = 0, tokens = 0;
};

/// Everything that one pass over some files leaves. Memory: 184 bytes a row, whatever its length.
struct Corpus {
  Input input;
  std::vector<RowFacts> rows;
  std::vector<Bands> bands;  ///< of each row; zeros where it has no words
  std::array<ScriptCounts, kScripts> scripts{};
  std::vector<std::vector<Exhibit>> exhibits;  ///< of each check, the first kExhibits rows
  bool has_tokens = false;

  std::string place(std::int64_t row) const;
};

/// What a pass looks rows up in.
struct Lookups {
  const tokenizer::Tokenizer* tokenizer = nullptr;  ///< null: sizes are in characters
  const BenchmarkIndex* benchmark = nullptr;
  const std::vector<std::string>* benchmark_places = nullptr;  ///< "file:row" of each item
};

/// Reads all rows once and runs every row check over them.
Corpus read_corpus(const Input& input, const Lookups& lookups);

/// The words that near duplicates are told by: all but system messages, which rows share.
std::vector<std::uint64_t> content_words(const RowText& row);

/// Texts of a benchmark's rows, whatever their columns are called.
/// @param places receives "file:row" of each item
BenchmarkIndex read_benchmark(const std::vector<std::string>& files,
                              std::vector<std::string>& places);

/// Fills in the excerpts of `exhibits` of a corpus's rows by reading those rows again.
void quote(const Input& input, const tokenizer::Tokenizer* tokenizer,
           const std::vector<Exhibit*>& examples);

}  // namespace hone::datasets::audit
