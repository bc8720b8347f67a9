#include "engine/qat_options.h"

#include <fmt/format.h>

#include "quant/recipe.h"

namespace hone::engine {
namespace {

using namespace config;

void check_format(const QatOptions& options, Problems& problems) {
  const auto wants = [&](const char* key, bool has_effect, const char* formats) {
    if (problems.given(key) && !has_effect)
      problems.add(key, fmt::format("has an effect on qat.format {} only", formats));
  };
  const bool groups = options.format == "int4" || options.format == "int8_group";
  const bool four_bit = options.format == "nf4" || options.format == "fp4";
  wants("block_size", groups || four_bit, "int4, int8_group, nf4 and fp4");
  wants("symmetric", groups, "int4 and int8_group");
  wants("double_quantization", four_bit, "nf4 and fp4");
  for (const char* key : {"skip", "fake_quant_after_n_steps"})
    if (problems.given(key) && !options.is_on())
      problems.add(key, "has no effect without qat.format");
  const std::int64_t size = options.block_size;
  if ((size & (size - 1)) != 0)
    problems.add("block_size", fmt::format("is {}; expected a power of two from 32 to 4096", size));
}

}  // namespace

quant::Recipe QatOptions::recipe() const {
  return {.format = quant::parse_format(format),
          .blocksize = block_size,
          .double_quantization = double_quantization,
          .symmetric = symmetric};
}

const Table<QatOptions>& QatOptions::table() {
  static const Table<QatOptions> table(
      "qat",
      "Quantisation-aware training: forward passes compute with the layers' weights as they will "
      "be "
      "served packed, gradients go straight through to what is trained.",
      {field("format", &QatOptions::format, "none",
             choices({"none", "int4", "int8_group", "int8", "nf4", "fp4"}),
             "What the layers' matrices will be packed to. int4, int8_group: integers by group of "
             "weights, for servers that read compressed-tensors; int8 by row, nf4, fp4: "
             "bitsandbytes'. What is packed is the weight with its adapter merged in. The product "
             "in quantized/ is the model that was trained, bit for bit."),
       field("block_size", &QatOptions::block_size, 64, at_least(32), at_most(4096),
             unit("weights"),
             "Weights that share a scale: a power of two. Groups divide the rows."),
       field("symmetric", &QatOptions::symmetric, true,
             "int4, int8_group: groups are centred on 0, else they have a zero point too."),
       field("double_quantization", &QatOptions::double_quantization, true,
             "nf4, fp4: the scales are packed too."),
       field("skip", &QatOptions::skip, {}, kScalarOrList,
             "Layers that are not packed: the last parts of their names (down_proj), or regular "
             "expressions for whole names."),
       field("fake_quant_after_n_steps", &QatOptions::fake_quant_after_n_steps, 0, at_least(0),
             unit("optimizer steps"),
             "So many steps are taken without it first, for weights to settle."),
       check<QatOptions>("Options of a format are set only where they have an effect.",
                         check_format)});
  return table;
}

}  // namespace hone::engine
