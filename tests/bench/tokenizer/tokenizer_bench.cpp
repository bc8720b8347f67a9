// How fast a tokenizer encodes a text in pieces of 4,000 characters, as rows of a data set are.
//   bench_tokenizer TOKENIZER TEXT THREADS ROUNDS
// prints one JSON object: megabytes of text, tokens, seconds and processor seconds of each round. A
// round begins with a
// tokenizer loaded anew, so that none profits from words that an earlier one has seen.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

std::string read_text(const char* path) {
  std::ifstream file(path, std::ios::binary);
  HONE_CHECK(DataError, file, "{} cannot be read", path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<EncodeRequest> pieces_of(std::string_view text) {
  constexpr std::size_t kCharacters = 4000;
  std::vector<EncodeRequest> pieces;
  std::size_t begin = 0, characters = 0;
  for (std::size_t i = 0; i < text.size(); i += code_point_at(text, i).size_bytes) {
    if (characters == kCharacters) {
      pieces.push_back({text.substr(begin, i - begin)});
      begin = i;
      characters = 0;
    }
    ++characters;
  }
  pieces.push_back({text.substr(begin)});
  return pieces;
}

// With several threads in batches, as a data set is read.
std::size_t count_tokens(const Tokenizer& tokenizer, std::span<const EncodeRequest> pieces,
                         unsigned threads) {
  constexpr std::size_t kBatch = 500;
  std::size_t tokens = 0;
  if (threads == 1) {
    for (const EncodeRequest& piece : pieces) tokens += tokenizer.encode(piece.text).ids.size();
    return tokens;
  }
  for (; !pieces.empty(); pieces = pieces.subspan(std::min(kBatch, pieces.size()))) {
    const auto batch = pieces.first(std::min(kBatch, pieces.size()));
    for (const Encoding& encoding : tokenizer.encode_batch(batch, threads)) {
      tokens += encoding.ids.size();
    }
  }
  return tokens;
}

int run(char** arguments) {
  const std::string text = read_text(arguments[2]);
  const std::vector<EncodeRequest> pieces = pieces_of(text);
  const auto threads = static_cast<unsigned>(std::stoul(arguments[3]));
  const int rounds = std::stoi(arguments[4]);
  std::size_t tokens = 0;
  std::vector<double> seconds, cpu_seconds;
  for (int round = 0; round < rounds; ++round) {
    const Tokenizer tokenizer = Tokenizer::load(arguments[1]);
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t cpu_start = std::clock();
    tokens = count_tokens(tokenizer, pieces, threads);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    seconds.push_back(taken.count());
    cpu_seconds.push_back(static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
  }
  const nlohmann::json result{{"mb", static_cast<double>(text.size()) / 1e6},
                              {"tokens", tokens},
                              {"seconds", seconds},
                              {"cpu_seconds", cpu_seconds}};
  std::cout << result.dump() << '\n';
  return 0;
}

}  // namespace
}  // namespace hone::tokenizer

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: bench_tokenizer TOKENIZER TEXT THREADS ROUNDS\n";
    return 2;
  }
  try {
    return hone::tokenizer::run(argv);
  } catch (const hone::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
