#include "cli/export_sizes.h"

#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "cli/model_arguments.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;

/// One way to serve, and what it takes.
struct Way {
  std::string target, form, type;
  std::int64_t bytes;      ///< of one
  std::int64_t with_base;  ///< of `count` of them, the base included where they need it
};

std::int64_t weight_bytes(const fs::path& model) {
  if (!fs::is_directory(model)) return static_cast<std::int64_t>(fs::file_size(model));
  std::int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(model))
    if (entry.path().extension() == ".safetensors")
      bytes += static_cast<std::int64_t>(entry.file_size());
  return bytes;
}

std::int64_t adapter_bytes(const adapters::Adapter& adapter, std::string_view type) {
  std::int64_t numbers = 0;
  for (const adapters::NamedTensor& named : adapter.exported()) numbers += named.tensor.numel();
  return numbers * (type == "f32" ? 4 : 2);
}

std::vector<Way> ways(const exporting::Target& target, const engine::BaseModel& base,
                      model::Decoder& decoder, const adapters::Adapter* adapter,
                      std::int64_t count) {
  std::vector<Way> all;
  const std::string name(target.name);
  if (target.takes_adapter && adapter != nullptr)
    for (const std::string_view type : target.adapter_types) {
      const std::int64_t bytes = adapter_bytes(*adapter, type);
      all.push_back(
          {name, "adapter", std::string(type), bytes, weight_bytes(base.path) + count * bytes});
    }
  if (!target.takes_merged || target.merged_bytes == nullptr) return all;
  try {
    for (const std::string_view type : target.merged_types) {
      const std::int64_t bytes = target.merged_bytes(decoder, type);
      all.push_back({name, "model", std::string(type), bytes, count * bytes});
    }
  } catch (const ConfigError& error) {
    log::info("{} holds no such model: {}", name, error.what());
  }
  return all;
}

}  // namespace

void tell_sizes(const engine::BaseModel& base, model::Decoder& decoder,
                const adapters::Adapter* adapter, const std::string& target, std::int64_t count,
                bool json) {
  if (!json)
    fmt::print("{:<11} {:<8} {:<7} {:>14} {:>24}\n", "target", "form", "type", "MB",
               fmt::format("MB for {}", count));
  for (const exporting::Target& one : exporting::targets()) {
    if (!target.empty() && one.name != target) continue;
    for (const Way& way : ways(one, base, decoder, adapter, count)) {
      if (json)
        print_row({{"target", way.target},
                   {"form", way.form},
                   {"type", way.type},
                   {"bytes", way.bytes},
                   {"count", count},
                   {"bytes_for_count", way.with_base}});
      else
        fmt::print("{:<11} {:<8} {:<7} {:>14.2f} {:>24.2f}\n", way.target, way.form, way.type,
                   double(way.bytes) / 1e6, double(way.with_base) / 1e6);
    }
  }
  if (!json && adapter != nullptr)
    fmt::print("Adapters are served beside one base of {:.2f} MB, which is counted once.\n",
               double(weight_bytes(base.path)) / 1e6);
}

}  // namespace hone::cli
