#include "tokenizer/bpe.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <map>
#include <random>

#include "tokenizer/utf8.h"

namespace hone::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;
using Spellings = std::vector<std::string>;
using Merges = std::vector<std::pair<std::string, std::string>>;

constexpr const char *kMark = "\u2581", *kUnknown = "<unk>";

Ids tokenize(const Bpe& bpe, std::string_view word) {
  std::vector<WordToken> tokens;
  bpe.tokenize(word, tokens);
  Ids ids;
  std::uint32_t end = 0;
  for (const WordToken& token : tokens) {
    EXPECT_EQ(token.begin, end);
    const std::string_view spelling = *bpe.id_to_token(token.id);
    if (spelling != kUnknown) {
      EXPECT_EQ(word.substr(token.begin, token.end - token.begin), spelling);
    }
    end = token.end;
    ids.push_back(token.id);
  }
  EXPECT_EQ(end, word.size());
  return ids;
}

// The definition: the pair that ranks first, and of equal ones the leftmost, becomes one token.
Spellings merge_by_definition(Spellings tokens, const Merges& merges) {
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) ranks[merges[rank]] = rank;
  while (true) {
    std::size_t best = 0, best_rank = merges.size();
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto it = ranks.find({tokens[i], tokens[i + 1]});
      if (it != ranks.end() && it->second < best_rank) {
        best = i;
        best_rank = it->second;
      }
    }
    if (best_rank == merges.size()) return tokens;
    tokens[best] += tokens[best + 1];
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

struct RandomModel {
  Spellings letters;
  BpeSpec spec;

  // Merges of random pairs of the tokens so far, of those that `allows`.
  template <class Allows>
  // A letter may be given more than once, to be more frequent.
  RandomModel(Spellings its_letters, std::size_t merge_count, std::mt19937& random, Allows allows)
      : letters(std::move(its_letters)) {
    Spellings tokens;
    for (const std::string& letter : letters) {
      if (std::find(tokens.begin(), tokens.end(), letter) == tokens.end()) tokens.push_back(letter);
    }
    while (spec.merges.size() < merge_count) {
      const std::string left = tokens[random() % tokens.size()];
      const std::string right = tokens[random() % tokens.size()];
      if (left.size() + right.size() > 12 || !allows(left, right)) continue;
      if (std::find(spec.merges.begin(), spec.merges.end(), std::pair(left, right)) !=
          spec.merges.end()) {
        continue;
      }
      spec.merges.emplace_back(left, right);
      if (std::find(tokens.begin(), tokens.end(), left + right) == tokens.end()) {
        tokens.push_back(left + right);
      }
    }
    tokens.push_back(kUnknown);
    spec.unk_token = kUnknown;
    spec.fuse_unk = true;
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      spec.vocabulary.add(tokens[id], static_cast<std::int64_t>(id));
    }
  }

  void expect_definition(std::mt19937& random, std::size_t max_letters) const {
    const Bpe bpe(spec);
    for (int round = 0; round < 300; ++round) {
      Spellings symbols;
      std::string text;
      for (std::size_t i = 1 + random() % max_letters; i > 0; --i) {
        const std::string& letter = letters[random() % letters.size()];
        text += letter;
        const bool is_known = spec.vocabulary.find(letter).has_value();
        const bool is_fused = !is_known && !symbols.empty() && symbols.back() == kUnknown;
        if (!is_fused) symbols.push_back(is_known ? letter : kUnknown);
      }
      Ids expected;
      for (const std::string& token : merge_by_definition(symbols, spec.merges)) {
        expected.push_back(*spec.vocabulary.find(token));
      }
      EXPECT_EQ(tokenize(bpe, text), expected) << text;
      EXPECT_EQ(tokenize(bpe, text), expected) << text << ", the second time";
    }
  }
};

TEST(Bpe, MergesAsDefinedInShortAndLongWords) {
  std::mt19937 random(11);
  for (int model = 0; model < 20; ++model) {
    const RandomModel any({"a", "b", "c", "\u00E9"}, 30, random,
                          [](const auto&, const auto&) { return true; });
    any.expect_definition(random, 12);
    any.expect_definition(random, 150);
  }
}

// A text that is one word is cut between characters that no merge joins: here at most spaces, at
// some of the letters, or nowhere.
TEST(Bpe, CutsTextWithoutChangingAToken) {
  std::mt19937 random(12);
  for (int model = 0; model < 30; ++model) {
    RandomModel at_spaces({"a", "b", kMark, "c", kMark}, 30, random,
                          [](const std::string& left, const std::string& right) {
                            return !right.starts_with(kMark) || left.ends_with(kMark);
                          });
    at_spaces.expect_definition(random, 150);
    RandomModel at_some({"a", "b", "c", "d", "e", "\u00E9", "\u4E2D", kMark}, 12, random,
                        [](const auto&, const auto&) { return true; });
    at_some.letters.insert(at_some.letters.end(), {"x", "y", "\u00FF"});  // without tokens
    at_some.expect_definition(random, 60);
    at_some.expect_definition(random, 150);
  }
}

double cpu_seconds(const Bpe& bpe, const std::string& word) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    std::vector<WordToken> tokens;
    const double start = now();
    bpe.tokenize(word, tokens);
    best = std::min(best, now() - start);
  }
  return best;
}

// Four times the letters take four times as long, and some more as caches are outgrown; a quadratic
// merge would take sixteen times as long. Processor time, the least of three.
TEST(Bpe, AWordOfAMebibyteTakesLinearTime) {
  std::mt19937 random(13);
  Spellings letters;
  for (char c = 'a'; c <= 'z'; ++c) letters.emplace_back(1, c);
  RandomModel model(letters, 1000, random, [](const auto&, const auto&) { return true; });
  for (std::string token = "a"; token.size() < 64; token += token) {
    const std::string doubled = token + token;
    if (!model.spec.vocabulary.find(doubled)) {
      model.spec.vocabulary.add(doubled, static_cast<std::int64_t>(model.spec.vocabulary.size()));
    }
    model.spec.merges.emplace_back(token, token);
  }
  model.spec.unk_token.reset();  // so that the word is not cut
  const Bpe bpe(model.spec);
  std::string same(1 << 20, 'a'), mixed = same;
  for (char& c : mixed) c = static_cast<char>('a' + random() % 26);
  for (const std::string& word : {same, mixed}) {
    EXPECT_LT(cpu_seconds(bpe, word) / cpu_seconds(bpe, word.substr(0, 1 << 18)), 8.0);
  }
}

}  // namespace
}  // namespace hone::tokenizer
