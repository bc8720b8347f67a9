#include "model/rope_options.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "model/head.h"
#include "model/load.h"
#include "support/fixture_batch.h"
#include "support/support.h"

namespace hone::model {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const json kYarn = {{"rope_type", "yarn"},
                    {"factor", 4.0},
                    {"original_max_position_embeddings", 16},
                    {"beta_fast", 8.0}};
const json kScalings[] = {kYarn,
                          {{"rope_type", "linear"}, {"factor", 3.0}},
                          {{"rope_type", "dynamic"}, {"factor", 2.0}},
                          {{"rope_type", "llama3"},
                           {"factor", 8.0},
                           {"low_freq_factor", 1.0},
                           {"high_freq_factor", 4.0},
                           {"original_max_position_embeddings", 32}},
                          {{"rope_type", "longrope"},
                           {"factor", 4.0},
                           {"original_max_position_embeddings", 16},
                           {"short_factor", {1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7}},
                           {"long_factor", {1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5}}},
                          {{"rope_type", "default"}, {"rope_theta", 77777.0}}};

/// The tiny Llama with some keys of its config set, in transformers 5's spelling or in 4's.
struct Copy {
  test::TempFolder folder;

  explicit Copy(const json& changes = json::object(), const char* config_name = "config.json") {
    json config = io::read_json(test::fixture("models/llama") / config_name);
    config.merge_patch(changes);
    folder.write("config.json", config.dump());
    fs::copy_file(test::fixture("models/llama") / "model.safetensors",
                  folder / "model.safetensors");
  }
};

Tensor logits_of(const Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  const io::SafetensorsFile io(test::fixture("models/llama") / "io.safetensors");
  return logits(decoder, hidden_states(decoder, test::flatten(io).tokens));
}

LoadOptions with_rope(const json& scaling) {
  LoadOptions options;
  options.rope_scaling = rope_options_from(scaling, "the test");
  return options;
}

TEST(RopeOverride, IsTheModelWhoseConfigSaysTheSame) {
  const Copy plain;
  const Tensor unscaled = logits_of(load_decoder(plain.folder.path(), {}));
  for (const json& scaling : kScalings) {
    const Copy stated(json::object({{"rope_parameters", scaling}}));
    const Tensor expected = logits_of(load_decoder(stated.folder.path(), {}));
    const Decoder got = load_decoder(plain.folder.path(), with_rope(scaling));
    EXPECT_TRUE(logits_of(got).equal(expected)) << scaling;
    EXPECT_EQ(expected.equal(unscaled), scaling["rope_type"] == "dynamic") << scaling;
  }
}

TEST(RopeOverride, TakesThePlaceOfTheModelsOwn) {
  const Copy yarn(json::object({{"rope_parameters", kYarn}})), plain;
  const Decoder undone = load_decoder(yarn.folder.path(), with_rope({{"rope_type", "default"}}));
  EXPECT_TRUE(logits_of(undone).equal(logits_of(load_decoder(plain.folder.path(), {}))));
}

TEST(RopeOverride, IsSavedInTheConfigInEitherSpelling) {
  for (const char* config : {"config.json", "config.v4.json"})
    for (const json& scaling : kScalings) {
      const Copy plain(json::object(), config);
      Decoder decoder = load_decoder(plain.folder.path(), with_rope(scaling));
      save_decoder(decoder, plain.folder / "out", plain.folder.path(), torch::kFloat32);
      EXPECT_TRUE(logits_of(load_decoder(plain.folder / "out", {})).equal(logits_of(decoder)))
          << scaling << read_file(plain.folder / "out/config.json");
    }
}

TEST(RopeOverride, StretchesTheContext) {
  const Copy plain(json::object({{"max_position_embeddings", 64}}));
  const fs::path path = plain.folder.path();
  EXPECT_EQ(context_length(load_spec(path)), 64);
  EXPECT_EQ(context_length(
                load_spec(path, rope_options_from({{"rope_type", "linear"}, {"factor", 2.5}}, ""))),
            160);
  EXPECT_EQ(context_length(load_spec(path, rope_options_from(kYarn, ""))), 64);
}

TEST(RopeOverride, NamesTheKeyThatIsMissingOrWrong) {
  const Copy plain;
  const auto refused = [&](const json& scaling) {
    return test::message_of<DataError>(
        [&] { load_decoder(plain.folder.path(), with_rope(scaling)); });
  };
  EXPECT_TRUE(test::contains(refused({{"rope_type", "linear"}}),
                             "model.rope_scaling: the key `factor` is missing"));
  json short_list = kScalings[4];
  short_list["long_factor"] = {1.0, 2.0};
  EXPECT_TRUE(test::contains(refused(short_list), "`long_factor` should be a list of 8 items"));
  EXPECT_TRUE(
      test::contains(refused({{"rope_type", "linear"}, {"factor", "big"}}), "`factor` is \"big\""));
}

}  // namespace
}  // namespace hone::model
