#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "io/json.h"
#include "support/gguf_writer.h"
#include "support/process.h"
#include "support/support.h"

// Model folders that are wrong or lie. Each costs a message that names the file and the fault,
// soon, and never the memory that the lie claims. Links out of the folder are followed: Hugging
// Face's cache is made of them.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using Parts = std::vector<std::string>;

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

double cpu_seconds_of_children() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// A copy of the tiny model that a test may spoil.
class ModelFolder {
 public:
  ModelFolder() {
    for (const char* name : {"config.json", kWeights})
      write(name, read_file(test::fixture("train/_base") / name));
  }

  fs::path path() const { return folder_ / "model"; }
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((path() / name).parent_path());
    folder_.write("model/" + name, content);
  }
  void remove(const char* name) const { fs::remove(path() / name); }
  std::string weights() const { return read_file(path() / kWeights); }

  /// Config keys over the tiny model's own.
  void set(const json& changes) const {
    json config = io::read_json(path() / "config.json");
    config.merge_patch(changes);
    write("config.json", config.dump());
  }
  /// An index in the place of the single file, which becomes the only shard.
  void shard(const json& weight_map) const {
    fs::rename(path() / kWeights, path() / "shard.safetensors");
    write(kIndex, json{{"weight_map", weight_map}}.dump());
  }
  /// Every weight that the single file holds, said to be in `file`.
  json map_to(const std::string& file) const {
    const std::string content = weights();
    const std::uint64_t length = load_unaligned<std::uint64_t>(content);
    const json header = json::parse(content.substr(8, length));
    json map = json::object();
    for (const auto& [name, info] : header.items())
      if (name != "__metadata__") map[name] = file;
    return map;
  }

  /// `hone logprobs` with 3 GB of address space, of which LibTorch takes most.
  Finished open(const fs::path& model) const {
    const fs::path rows = folder_.write("rows.jsonl", "{\"input_ids\": [1, 2, 3]}\n");
    return test::run_program({"sh", "-c", "ulimit -v 3000000; exec \"$@\"", "sh",
                              test::hone_binary(), "logprobs", "--threads", "1", "--model", model,
                              "--input", rows});
  }

  void expect_refused(const Parts& parts) const { expect_refused(path(), parts); }
  void expect_refused(const fs::path& model, const Parts& parts) const {
    const double before = cpu_seconds_of_children();
    const Finished finished = open(model);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_TRUE(finished.out.empty()) << finished.out;
    for (const std::string& part : parts) EXPECT_TRUE(contains(finished.err, part));
    EXPECT_LT(cpu_seconds_of_children() - before, 2) << finished.err;
    EXPECT_LT(finished.err.size(), 5000u);
  }
  fs::path write_gguf(const std::string& content) const {
    return folder_.write("model.gguf", content);
  }

 private:
  template <class T>
  static T load_unaligned(const std::string& bytes) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  test::TempFolder folder_;
};

/// The bytes of a safetensors file.
std::string safetensors(std::uint64_t header_bytes, const std::string& header, std::size_t data) {
  std::string content(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
  return content + header + std::string(data, '\0');
}
std::string safetensors(const json& header, std::size_t data) {
  return safetensors(header.dump().size(), header.dump(), data);
}
json tensor(const std::vector<std::uint64_t>& shape, std::uint64_t begin, std::uint64_t end) {
  return {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, end}}};
}

TEST(HostileModel, TheCopyItselfLoads) {
  const ModelFolder model;
  EXPECT_EQ(model.open(model.path()).exit_code, 0);
}

TEST(HostileModel, ShardsThatAreMissingAreNamed) {
  const ModelFolder model;
  json map = model.map_to("shard.safetensors");
  map["model.norm.weight"] = "gone-2.safetensors";
  map["lm_head.weight"] = "gone-1.safetensors";
  model.shard(map);
  model.expect_refused({kIndex, "2 of 3 shards", "gone-1.safetensors, gone-2.safetensors"});
}

TEST(HostileModel, AShardThatDoesNotHoldTheTensorIsNamed) {
  const ModelFolder model;
  json map = model.map_to("shard.safetensors");
  map["model.embed_tokens.weight"] = "other.safetensors";
  model.shard(map);
  model.write("other.safetensors", safetensors({{"x", tensor({1}, 0, 4)}}, 4));
  model.expect_refused({kIndex, "'model.embed_tokens.weight' (other.safetensors)"});
}

TEST(HostileModel, AWeightMapThatLeadsToItselfIsRefused) {
  const ModelFolder model;
  model.shard(model.map_to(kIndex));
  model.expect_refused({std::string(kIndex) + ": the first 8 bytes"});
}

TEST(HostileModel, LinksThatGoRoundAreRefused) {
  const ModelFolder model;
  model.shard(model.map_to("a.safetensors"));
  fs::create_symlink("b.safetensors", model.path() / "a.safetensors");
  fs::create_symlink("a.safetensors", model.path() / "b.safetensors");
  model.expect_refused({kIndex, "1 of 1 shards that it lists are missing: a.safetensors"});
  fs::create_symlink(kWeights, model.path() / kWeights);
  model.expect_refused({kWeights, "no such file"});
  model.remove("config.json");
  fs::create_symlink("config.json", model.path() / "config.json");
  model.remove(kWeights);
  model.write(kWeights, read_file(test::fixture("train/_base") / kWeights));
  model.expect_refused({"config.json", "no such file"});
}

TEST(HostileModel, APathThatLeavesTheFolderIsRefused) {
  for (const std::string out :
       {"../shard.safetensors", "/etc/passwd", "sub/../../shard.safetensors", "..", ".", ""}) {
    const ModelFolder model;
    model.shard(model.map_to(out));
    fs::copy_file(model.path() / "shard.safetensors", model.path() / "../shard.safetensors");
    model.expect_refused({kIndex, "\"" + out + "\"", "the same folder"});
  }
}

TEST(HostileModel, ALinkOutOfTheFolderIsFollowed) {
  const ModelFolder model;
  model.shard(model.map_to("shard.safetensors"));
  fs::rename(model.path() / "shard.safetensors", model.path() / "../blob");
  fs::create_symlink("../blob", model.path() / "shard.safetensors");
  EXPECT_EQ(model.open(model.path()).exit_code, 0);
}

TEST(HostileModel, AnIndexOfTheWrongTypesIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "weight_map"},
      {"{}", "weight_map"},
      {R"({"weight_map": ["a"]})", "weight_map"},
      {R"({"weight_map": {"model.norm.weight": 3}})", "weight_map['model.norm.weight'] is 3"},
      {R"({"weight_map": {"model.norm.weight": {}}})", "weight_map['model.norm.weight'] is {}"},
      {R"({"weight_map": {}})", "missing"},
      {"{\"weight_map\": ", ":1:"},
      {"\xff\xfe", "UTF-8"}};
  for (const auto& [index, part] : cases) {
    const ModelFolder model;
    model.shard(json::object());
    model.write(kIndex, index);
    model.expect_refused({part});
  }
}

TEST(HostileModel, AnythingButAFileInAFilesPlaceIsRefused) {
  for (const char* name : {"config.json", kWeights}) {
    const ModelFolder model;
    model.remove(name);
    fs::create_directory(model.path() / name);
    model.expect_refused({name, "is a folder"});
  }
  const ModelFolder model;
  model.remove(kWeights);
  ASSERT_EQ(mkfifo((model.path() / kWeights).c_str(), 0600), 0);
  const Finished finished = model.open(model.path());
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_TRUE(contains(finished.err, "model.safetensors: is not a regular file"));
}

TEST(HostileModel, SafetensorsThatLieAreRefused) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 62;
  const std::pair<std::string, Parts> cases[] = {
      {safetensors(std::uint64_t{1} << 63, "{}", 0), {"9223372036854775808 bytes"}},
      {safetensors(50'000'000, "{}", 0), {"truncated in its header"}},
      {safetensors(2, "[]", 0), {"array"}},
      {safetensors({{"a", tensor({4}, 0, 16)}, {"b", tensor({4}, 8, 24)}}, 24), {"'b'", "overlap"}},
      {safetensors({{"a", tensor({4}, 0, 16)}, {"b", tensor({4}, 20, 36)}}, 36), {"'b'", "hole"}},
      {safetensors({{"a", tensor({4}, 0, 16)}}, 8), {"'a'", "truncated"}},
      {safetensors({{"a", tensor({kHuge}, 0, 16)}}, 16), {"'a'", "does not fit 64 bits"}},
      {safetensors({{"a", tensor({kHuge / 8, 2}, 0, kHuge)}}, 16), {"'a'", "truncated"}},
      {safetensors({{"a", tensor({4}, 16, 0)}}, 16), {"'a'", "backwards"}},
      {safetensors(R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})"_json, 16),
       {"'a'", "-4"}},
      {safetensors(R"({"a":{"dtype":"F32","shape":[1e30],"data_offsets":[0,16]}})"_json, 16),
       {"'a'", "shape[0]"}},
      {safetensors(R"({"a":{"dtype":"Q9","shape":[4],"data_offsets":[0,16]}})"_json, 16),
       {"'a'", "Q9"}}};
  for (const auto& [content, parts] : cases) {
    const ModelFolder model;
    model.write(kWeights, content);
    model.expect_refused(parts);
    model.expect_refused({kWeights});
  }
}

TEST(HostileModel, SizesThatCannotBeAreRefused) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  const std::pair<json, std::string> cases[] = {
      {{{"hidden_size", -64}}, "`hidden_size` is -64"},
      {{{"hidden_size", 0}}, "`hidden_size` is 0"},
      {{{"hidden_size", 64.5}}, "`hidden_size` is 64.5"},
      {{{"hidden_size", nullptr}}, "`hidden_size` is missing"},
      {{{"hidden_size", std::int64_t{1} << 40}}, "`hidden_size` is 1099511627776"},
      {{{"vocab_size", kAll}}, "`vocab_size` is 18446744073709551615"},
      {{{"vocab_size", (1 << 30)}}, "expected [1073741824, "},
      {{{"num_hidden_layers", 1'000'000'000}}, "`num_hidden_layers` is 1000000000"},
      {{{"num_hidden_layers", 1'999}}, "missing"},
      {{{"num_attention_heads", 0}}, "`num_attention_heads` is 0"},
      {{{"num_attention_heads", -1}}, "`num_attention_heads` is -1"},
      {{{"num_key_value_heads", -1}}, "`num_key_value_heads` is -1"},
      {{{"num_attention_heads", 1 << 30}, {"head_dim", 1 << 30}}, "heads of"},
      {{{"head_dim", 7}}, "head_dim 7 is odd"},
      {{{"max_position_embeddings", -5}}, "`max_position_embeddings` is -5"},
      {{{"rms_norm_eps", "small"}}, "`rms_norm_eps` is \"small\""},
      {{{"rms_norm_eps", -1}}, "rms_norm_eps -1"},
      {{{"partial_rotary_factor", 1e300}, {"rope_parameters", nullptr}}, "partial_rotary_factor"},
      {{{"rope_parameters", {{"rope_type", "linear"}, {"factor", 0}}}}, "the factor 0"},
      {{{"rope_parameters", {{"rope_type", "yarn"}, {"factor", 2}, {"beta_fast", -1}}}},
       "beta_fast -1"},
      {{{"rope_parameters", {{"rope_theta", -1}}}}, "rope_theta -1"},
      {{{"rope_parameters", 3}}, "`rope_parameters` should be an object"},
      {{{"model_type", "gemma2"}, {"hidden_act", nullptr}, {"sliding_window_pattern", 0}},
       "sliding_window_pattern is 0"},
      {{{"model_type", "mistral"}, {"sliding_window", -3}}, "sliding_window is -3"},
      {{{"model_type", "mixtral"},
        {"num_local_experts", std::int64_t{1} << 50},
        {"num_experts_per_tok", 2}},
       "1125899906842624 experts"},
      {{{"layer_types", {"full_attention"}}}, "`layer_types` should be a list"},
      {{{"model_type", 5}}, "`model_type` is 5"},
      {{{"model_type", "mamba"}}, "mamba"},
      {{{"architectures", {"LlamaForSequenceClassification"}}, {"num_labels", -2}}, "-2 labels"}};
  for (const auto& [changes, part] : cases) {
    const ModelFolder model;
    model.set(changes);
    model.expect_refused({model.path().string(), part});
  }
  const ModelFolder model;
  model.write("config.json", R"({"hidden_size": 1e999})");
  model.expect_refused({"config.json"});
  model.write("config.json", "[1]");
  model.expect_refused({"config.json", "object"});
}

TEST(HostileModel, AConfigThatContradictsTheWeightsIsRefused) {
  const ModelFolder model;
  model.set({{"intermediate_size", 100}, {"num_hidden_layers", 3}});
  model.expect_refused({"missing (9): model.layers.2.", "mlp.gate_proj.weight is ["});
}

/// The head of a GGUF file: counts, then `body`.
std::string gguf_head(std::uint64_t tensors, std::uint64_t keys, const std::string& body) {
  std::string content("GGUF\3\0\0\0", 8);
  content.append(reinterpret_cast<const char*>(&tensors), 8);
  content.append(reinterpret_cast<const char*>(&keys), 8);
  return content + body;
}

TEST(HostileModel, GgufFilesThatLieAreRefused) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 63;
  const std::string key("\1\0\0\0\0\0\0\0k", 9);
  const std::string of_u64 = key + std::string("\11\0\0\0\12\0\0\0", 8);
  const std::string of_strings = key + std::string("\11\0\0\0\10\0\0\0", 8);
  const std::string huge(reinterpret_cast<const char*>(&kHuge), 8);
  const std::pair<std::string, std::string> cases[] = {
      {gguf_head(kHuge, 0, std::string(64, '\0')), "a tensor's name"},
      {gguf_head(0, kHuge, std::string(64, '\0')), "a metadata key"},
      {gguf_head(0, 1, huge + "k"), "a metadata key"},
      {gguf_head(0, 1, of_u64 + huge), "metadata key 'k' has 9223372036854775808 elements"},
      {gguf_head(0, 1, of_strings + huge), "metadata key 'k'"},
      {gguf_head(0, 0, ""), "general.architecture"},
      {"GGUX" + std::string(60, '\0'), "not a GGUF file"}};
  const ModelFolder model;
  for (const auto& [content, part] : cases)
    model.expect_refused(model.write_gguf(content), {"model.gguf", part});
}

TEST(HostileModel, SizesOfAGgufThatCannotBeAreRefused) {
  const auto with = [](const char* key, std::uint32_t value) {
    test::GgufWriter writer;
    writer.add("general.architecture", "llama");
    const std::pair<const char*, std::uint32_t> sizes[] = {{"embedding_length", 64},
                                                           {"feed_forward_length", 96},
                                                           {"block_count", 2},
                                                           {"attention.head_count", 4},
                                                           {"context_length", 128}};
    for (const auto& [name, size] : sizes)
      writer.add("llama." + std::string(name), std::strcmp(name, key) == 0 ? value : size);
    writer.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    return writer.add_tensor("token_embd.weight", {8, 64}, std::vector<float>(8 * 64, 1)).content();
  };
  const ModelFolder model;
  for (const char* key : {"embedding_length", "attention.head_count", "block_count"}) {
    model.expect_refused(model.write_gguf(with(key, 0)), {"model.gguf", " 0"});
    model.expect_refused(model.write_gguf(with(key, 0xFFFFFFFF)), {"model.gguf", "4294967295"});
  }
  model.expect_refused(model.write_gguf(with("", 0)), {"model.gguf", "missing"});
}

}  // namespace
}  // namespace hone
