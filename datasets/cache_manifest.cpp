#include "datasets/cache_manifest.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace hone::datasets {
namespace {

using Json = nlohmann::ordered_json;

/// Raised with every change of what stands in a file, or where.
constexpr int kFormatVersion = 4;
constexpr const char* kDatasets[] = {"ids", "runs", "values", "rows"};

template <class Struct, class Value = std::int64_t>
struct Number {
  const char* name;
  Value Struct::*member;
};

constexpr Number<RowCounts> kCounts[] = {{"read", &RowCounts::read},
                                         {"rendered", &RowCounts::rendered},
                                         {"dropped_overlong", &RowCounts::dropped_overlong},
                                         {"truncated", &RowCounts::truncated},
                                         {"split", &RowCounts::split},
                                         {"longest", &RowCounts::longest},
                                         {"desirable", &RowCounts::desirable},
                                         {"undesirable", &RowCounts::undesirable}};

constexpr Number<RowTotals> kTotals[] = {{"rows", &RowTotals::rows},
                                         {"tokens", &RowTotals::tokens},
                                         {"trained_tokens", &RowTotals::trained_tokens},
                                         {"untrained_rows", &RowTotals::untrained_rows},
                                         {"straddling_rows", &RowTotals::straddling_rows},
                                         {"prompt_differs", &RowTotals::prompt_differs},
                                         {"trained_stops", &RowTotals::trained_stops},
                                         {"dangling_stops", &RowTotals::dangling_stops},
                                         {"first_untrained", &RowTotals::first_untrained},
                                         {"first_straddling", &RowTotals::first_straddling},
                                         {"first_dangling_stop", &RowTotals::first_dangling_stop},
                                         {"least_trained", &RowTotals::least_trained},
                                         {"most_trained", &RowTotals::most_trained}};

constexpr Number<RowTotals, double> kWeights[] = {{"weight", &RowTotals::weight},
                                                  {"least_share", &RowTotals::least_share},
                                                  {"most_share", &RowTotals::most_share}};

template <class Struct, class Value, std::size_t N>
void add_to(Json& json, const Number<Struct, Value> (&numbers)[N], const Struct& values) {
  for (const auto& number : numbers) json[number.name] = values.*number.member;
}

template <class Struct, class Value, std::size_t N>
void take_from(const Json& json, const Number<Struct, Value> (&numbers)[N], Struct& values) {
  for (const auto& number : numbers) values.*number.member = json.at(number.name);
}

template <std::size_t N>
Json to_json(const std::array<CountedRows, N>& counts) {
  Json list = Json::array();
  for (const CountedRows& count : counts)
    list.push_back({{"rows", count.rows}, {"first", count.first}});
  return list;
}

template <std::size_t N>
void from_json(const Json& list, std::array<CountedRows, N>& counts) {
  for (std::size_t i = 0; i < N; ++i) counts[i] = {list.at(i).at("rows"), list.at(i).at("first")};
}

Json to_json(const CacheManifest& manifest) {
  Json json = {{"format_version", kFormatVersion},   {"key", manifest.key},
               {"files", manifest.info.files},       {"data_sha256", manifest.info.sha256},
               {"stop_ids", manifest.info.stop_ids}, {"ids_are_16_bit", manifest.is_narrow}};
  add_to(json["counts"], kCounts, manifest.info.counts);
  json["counts"]["template_changes"] = to_json(manifest.info.counts.changes);
  json["counts"]["flawed"] = to_json(manifest.info.counts.flawed);
  add_to(json["totals"], kTotals, manifest.totals);
  add_to(json["totals"], kWeights, manifest.totals);
  for (std::size_t i = 0; i < std::size(kDatasets); ++i)
    json["datasets"][kDatasets[i]] = {{"size", manifest.sizes[i]}, {"sha256", manifest.hashes[i]}};
  return json;
}

CacheManifest from_json(const Json& json) {
  CacheManifest manifest;
  manifest.key = json.at("key");
  json.at("files").get_to(manifest.info.files);
  manifest.info.sha256 = json.at("data_sha256");
  json.at("stop_ids").get_to(manifest.info.stop_ids);
  take_from(json.at("counts"), kCounts, manifest.info.counts);
  from_json(json.at("counts").at("template_changes"), manifest.info.counts.changes);
  from_json(json.at("counts").at("flawed"), manifest.info.counts.flawed);
  take_from(json.at("totals"), kTotals, manifest.totals);
  take_from(json.at("totals"), kWeights, manifest.totals);
  manifest.is_narrow = json.at("ids_are_16_bit");
  for (std::size_t i = 0; i < std::size(kDatasets); ++i) {
    manifest.sizes[i] = json.at("datasets").at(kDatasets[i]).at("size");
    manifest.hashes[i] = json.at("datasets").at(kDatasets[i]).at("sha256");
  }
  return manifest;
}

}  // namespace

void write_manifest(const CacheManifest& manifest, io::Hdf5File& file) {
  const std::string text = to_json(manifest).dump(2);
  file.add_dataset("manifest", io::Hdf5Type::of(io::Hdf5Number::kU8))
      .append(text.data(), std::ssize(text));
  file.set_attribute("sha256", sha256_hex(text));
}

CacheManifest read_manifest(const io::Hdf5File& file) {
  const io::Hdf5Dataset dataset = file.dataset("manifest", io::Hdf5Type::of(io::Hdf5Number::kU8));
  std::string text(static_cast<std::size_t>(dataset.size()), '\0');
  dataset.read(0, dataset.size(), text.data());
  HONE_CHECK(DataError, sha256_hex(text) == file.attribute("sha256"),
             "the manifest is not what was written");
  try {
    const Json json = Json::parse(text);
    HONE_CHECK(DataError, json.at("format_version") == kFormatVersion,
               "it is of format {}, expected {}", json.at("format_version").dump(), kFormatVersion);
    return from_json(json);
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("the manifest cannot be read: {}", error.what()));
  }
}

}  // namespace hone::datasets
