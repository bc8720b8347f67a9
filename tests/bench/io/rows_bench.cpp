#include <benchmark/benchmark.h>

#include <string>

#include "io/json_row.h"

// Reading rows: nlohmann's reader beside simdjson's. Bytes a second on one thread.

namespace hone::io {
namespace {

/// A conversation of two turns with `characters` of text in the answer, as a line of JSON.
std::string row_of(std::int64_t characters) {
  std::string answer;
  while (std::ssize(answer) < characters)
    answer += "The quick brown fox jumps over the lazy dog.\n";
  return nlohmann::ordered_json{{"messages",
                                 {{{"role", "user"}, {"content", "Tell me \"it\" again, naïvely."}},
                                  {{"role", "assistant"}, {"content", answer}}}},
                                {"id", 12345},
                                {"source", "bench"}}
      .dump();
}

template <class Read>
void measure(benchmark::State& state, Read read) {
  std::string row = row_of(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(read(row));
  state.SetBytesProcessed(state.iterations() * std::ssize(row));
}

void bench_nlohmann(benchmark::State& state) {
  measure(state, [](std::string& row) { return parse_ordered_json(row, {"rows.jsonl"}); });
}
void bench_simdjson(benchmark::State& state) {
  measure(state, [](std::string& row) { return parse_json_row(row, {"rows.jsonl"}); });
}

BENCHMARK(bench_nlohmann)->Arg(200)->Arg(1200)->Arg(20'000);
BENCHMARK(bench_simdjson)->Arg(200)->Arg(1200)->Arg(20'000);

}  // namespace
}  // namespace hone::io
