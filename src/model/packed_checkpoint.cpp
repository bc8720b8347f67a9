#include "model/packed_checkpoint.h"

#include <fmt/ranges.h>
#include <torch/types.h>

#include "base/error.h"
#include "io/json.h"
#include "quant/maps.h"

namespace hone::model {
namespace {

using kernels::PackedCodes;
using kernels::PackedMatrix;
using nlohmann::json;
using quant::Format;

constexpr std::int64_t kNestedBlock = 256;
constexpr std::string_view kState = "weight.quant_state.bitsandbytes__";

// --- writing -------------------------------------------------------------------------------------

Tensor bytes_of(const std::string& text) {
  const Tensor bytes = torch::empty({std::ssize(text)}, torch::kUInt8);
  std::copy(text.begin(), text.end(), bytes.mutable_data_ptr<std::uint8_t>());
  return bytes;
}

/// @source bitsandbytes' QuantState.as_dict(packed=True)
LayerTensors four_bit_tensors(const PackedMatrix& matrix, const std::string& format,
                              torch::Dtype dtype) {
  json state = {{"quant_type", format},
                {"blocksize", matrix.blocksize},
                {"dtype", dtype == torch::kBFloat16 ? "bfloat16" : "float32"},
                {"shape", {matrix.rows, matrix.columns}}};
  LayerTensors tensors = {{"weight", matrix.codes.view({-1, 1})},
                          {"weight.absmax", matrix.absmax},
                          {"weight.quant_map", matrix.map}};
  if (matrix.nested_absmax.defined()) {
    tensors.emplace_back("weight.nested_absmax", matrix.nested_absmax);
    tensors.emplace_back("weight.nested_quant_map", matrix.nested_map);
    state["nested_blocksize"] = kNestedBlock;
    state["nested_dtype"] = "float32";
    state["nested_offset"] = double(matrix.offset.item<float>());
  }
  tensors.emplace_back(std::string(kState) + format, bytes_of(state.dump()));
  return tensors;
}

/// @source bitsandbytes' Linear8bitLt._save_to_state_dict
LayerTensors row_tensors(const PackedMatrix& matrix) {
  const Tensor row_format = torch::zeros({}, torch::kUInt8);  // "row"
  return {{"weight", matrix.codes.view(torch::kInt8).view({matrix.rows, matrix.columns})},
          {"SCB", matrix.absmax},
          {"weight_format", row_format}};
}

/// Both halves of every byte exchanged: hone has the first of two codes above, integers of
/// compressed-tensors begin at a word's lowest bits.
Tensor with_halves_exchanged(const Tensor& bytes) {
  return bytes.remainder(16) * 16 + bytes.div(16, "floor");
}

/// Zero points of one group of each row, packed down the rows into words of 32 bits.
/// @param zeros [rows, groups] f32
Tensor packed_zeros(const Tensor& zeros, std::int64_t bits) {
  const std::int64_t rows = zeros.size(0), each = 32 / bits;
  const Tensor codes = (zeros + (1 << (bits - 1))).to(torch::kInt64).t();
  const Tensor padded = torch::constant_pad_nd(codes, {0, (each - rows % each) % each});
  const Tensor places = torch::arange(each).mul(bits);
  const Tensor words =
      padded.unflatten(1, {-1, each}).bitwise_left_shift(places).sum(-1);  // [groups, words]
  return words.t().contiguous().to(torch::kInt32);
}

/// @source compressed-tensors' PackedQuantizationCompressor
LayerTensors group_tensors(const PackedMatrix& matrix) {
  const bool four_bit = matrix.kind == PackedCodes::kFourBit;
  const std::vector<std::int64_t> groups = {matrix.rows, matrix.columns / matrix.blocksize};
  const Tensor bytes = four_bit ? with_halves_exchanged(matrix.codes) : matrix.codes;
  LayerTensors tensors = {
      {"weight_packed", bytes.contiguous().view(torch::kInt32).view({matrix.rows, -1})},
      {"weight_scale", matrix.absmax.view(groups).to(torch::kBFloat16)},
      {"weight_shape", torch::tensor({matrix.rows, matrix.columns}, torch::kInt64)}};
  if (matrix.zeros.defined())
    tensors.emplace_back("weight_zero_point",
                         packed_zeros(matrix.zeros.view(groups), four_bit ? 4 : 8));
  return tensors;
}

// --- reading -------------------------------------------------------------------------------------

/// A layer's tensors in a model's files.
class StoredLayer {
 public:
  StoredLayer(const io::SafetensorsSet& files, const std::string& layer)
      : files_(files), layer_(layer) {}

  const std::string& name() const { return layer_; }
  std::string full(std::string_view part) const { return fmt::format("{}.{}", layer_, part); }
  bool has(std::string_view part) const { return files_.find(full(part)) != nullptr; }
  io::DType dtype(std::string_view part) const { return files_.find(full(part))->dtype; }

  Tensor operator[](std::string_view part) const {
    const io::TensorView* view = files_.find(full(part));
    HONE_CHECK(DataError, view != nullptr, "{}: is missing beside the packed weight", full(part));
    return to_tensor(*view);
  }

  /// The tensor, where it is of that type and so large.
  Tensor sized(std::string_view part, torch::Dtype type,
               const std::vector<std::int64_t>& sizes) const {
    const Tensor found = (*this)[part];
    HONE_CHECK(DataError, found.scalar_type() == type && found.sizes() == sizes,
               "{}: is {} of [{}], expected {} of [{}]", full(part),
               torch::toString(found.scalar_type()), fmt::join(found.sizes(), ", "),
               torch::toString(type), fmt::join(sizes, ", "));
    return found;
  }

  /// The tensor as finite f32, where it is a float and so large.
  Tensor floats(std::string_view part, const std::vector<std::int64_t>& sizes) const {
    const Tensor found = (*this)[part];
    HONE_CHECK(DataError, found.is_floating_point() && found.sizes() == sizes,
               "{}: is {} of [{}], expected numbers of [{}]", full(part),
               torch::toString(found.scalar_type()), fmt::join(found.sizes(), ", "),
               fmt::join(sizes, ", "));
    HONE_CHECK(DataError, at::isfinite(found).all().item<bool>(),
               "{}: holds a value that is not finite", full(part));
    return found.to(torch::kFloat32);
  }

 private:
  const io::SafetensorsSet& files_;
  const std::string& layer_;
};

std::string four_bit_format(const StoredLayer& stored) {
  for (const char* format : {"nf4", "fp4"})
    if (stored.has(std::string(kState) + format)) return format;
  return "";
}

bool is_int8(const StoredLayer& stored) {
  return stored.has("SCB") && stored.has("weight") && stored.dtype("weight") == io::DType::kI8;
}

std::int64_t blocks_of(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

/// A map that is the format's own, to the bit: hone knows formats by it.
Tensor known_map(const StoredLayer& stored, std::string_view part, const Tensor& own) {
  HONE_CHECK(DataError, at::equal(stored.floats(part, own.sizes().vec()), own),
             "{}: is not the format's own map; hone computes with that only", stored.full(part));
  return own;
}

void read_scales(const StoredLayer& stored, const json& state, std::int64_t blocks,
                 PackedMatrix& matrix) {
  if (!stored.has("weight.nested_absmax")) {
    matrix.absmax = stored.floats("weight.absmax", {blocks});
    return;
  }
  HONE_CHECK(DataError, state.at("nested_blocksize") == kNestedBlock,
             "{}: scales are packed in blocks of {}, expected {}", stored.name(),
             state.at("nested_blocksize").dump(), kNestedBlock);
  matrix.absmax = stored.sized("weight.absmax", torch::kUInt8, {blocks});
  matrix.nested_absmax = stored.floats("weight.nested_absmax", {blocks_of(blocks, kNestedBlock)});
  matrix.nested_map = known_map(stored, "weight.nested_quant_map", quant::dynamic_map());
  matrix.offset = torch::tensor({state.at("nested_offset").get<float>()}, torch::kFloat32);
}

void read_four_bit(const StoredLayer& stored, const std::string& format, PackedMatrix& matrix) {
  const std::string part = std::string(kState) + format;
  const Tensor bytes = stored[part].contiguous();
  const json state = io::parse_json(
      {static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()}, {stored.full(part)});
  const std::int64_t count = matrix.rows * matrix.columns;
  try {
    matrix.blocksize = state.at("blocksize").get<std::int64_t>();
    const auto shape = state.at("shape").get<std::vector<std::int64_t>>();
    HONE_CHECK(DataError,
               shape == std::vector({matrix.rows, matrix.columns}) && matrix.blocksize > 0 &&
                   state.at("quant_type") == format,
               "{}: says {} of [{}] in blocks of {}, expected {} of [{}, {}]", stored.full(part),
               state.at("quant_type").dump(), fmt::join(shape, ", "), matrix.blocksize, format,
               matrix.rows, matrix.columns);
    read_scales(stored, state, blocks_of(count, matrix.blocksize), matrix);
  } catch (const json::exception& error) {
    throw DataError(
        fmt::format("{}: is not what bitsandbytes writes: {}", stored.full(part), error.what()));
  }
  matrix.kind = PackedCodes::kFourBit;
  matrix.codes = stored.sized("weight", torch::kUInt8, {(count + 1) / 2, 1}).view({-1});
  matrix.map =
      known_map(stored, "weight.quant_map", quant::four_bit_map(quant::parse_format(format)));
}

void read_rows(const StoredLayer& stored, PackedMatrix& matrix) {
  if (stored.has("weight_format"))
    HONE_CHECK(DataError, stored["weight_format"].sum().item<std::int64_t>() == 0,
               "{}: is not \"row\" (0), the one order that bitsandbytes still reads",
               stored.full("weight_format"));
  matrix.kind = PackedCodes::kInt8;
  matrix.blocksize = matrix.columns;
  matrix.codes = stored.sized("weight", torch::kInt8, {matrix.rows, matrix.columns})
                     .view(torch::kUInt8)
                     .view({-1});
  matrix.absmax = stored.floats("SCB", {matrix.rows});
}

/// @return [rows, groups] f32
Tensor unpacked_zeros(const Tensor& words, std::int64_t rows, std::int64_t bits) {
  const std::int64_t each = 32 / bits;
  const Tensor places = torch::arange(each).mul(bits);
  const Tensor codes = words.to(torch::kInt64)
                           .t()
                           .unsqueeze(-1)
                           .bitwise_right_shift(places)
                           .bitwise_and((1 << bits) - 1)
                           .flatten(1);  // [groups, words · each]
  return (codes.narrow(1, 0, rows).t() - (1 << (bits - 1))).to(torch::kFloat32).contiguous();
}

void read_groups(const StoredLayer& stored, PackedMatrix& matrix) {
  const Tensor shape = stored.sized("weight_shape", torch::kInt64, {2});
  HONE_CHECK(DataError,
             shape[0].item<std::int64_t>() == matrix.rows &&
                 shape[1].item<std::int64_t>() == matrix.columns,
             "{}: says [{}, {}], expected [{}, {}]", stored.full("weight_shape"),
             shape[0].item<std::int64_t>(), shape[1].item<std::int64_t>(), matrix.rows,
             matrix.columns);
  const std::int64_t words = stored["weight_packed"].size(-1);
  const std::int64_t bits = words * 32 == matrix.columns * 8 ? 8 : 4;
  const Tensor bytes =
      stored.sized("weight_packed", torch::kInt32, {matrix.rows, matrix.columns * bits / 32})
          .view(torch::kUInt8)
          .view({-1});
  const std::int64_t groups = stored["weight_scale"].size(-1);
  HONE_CHECK(DataError,
             groups > 0 && matrix.columns % groups == 0 && matrix.columns * bits % 32 == 0,
             "{}: has {} groups for rows of {}; expected groups of one size that fill words of 32 "
             "bits",
             stored.full("weight_scale"), groups, matrix.columns);
  matrix.blocksize = matrix.columns / groups;
  matrix.absmax = stored.floats("weight_scale", {matrix.rows, groups}).view({-1});
  matrix.kind = bits == 4 ? PackedCodes::kFourBit : PackedCodes::kEightBit;
  matrix.codes = bits == 4 ? with_halves_exchanged(bytes) : bytes;
  matrix.map = quant::integer_map(bits == 4 ? Format::kInt4 : Format::kInt8Group);
  if (stored.has("weight_zero_point"))
    matrix.zeros = unpacked_zeros(stored.sized("weight_zero_point", torch::kInt32,
                                               {blocks_of(matrix.rows * bits, 32), groups}),
                                  matrix.rows, bits)
                       .view({-1});
}

}  // namespace

LayerTensors packed_tensors(const PackedMatrix& matrix, torch::Dtype dtype) {
  const PackedMatrix host = kernels::to_device(matrix, torch::kCPU);
  const Format format = quant::recipe_of(host).format;
  HONE_CHECK(ConfigError, format != Format::kInt8Blockwise,
             "int8_blockwise: no checkpoint format holds it; expected nf4, fp4 or int8 "
             "(bitsandbytes), or int4 or int8_group (compressed-tensors)");
  if (quant::is_four_bit(format)) return four_bit_tensors(host, quant::format_name(format), dtype);
  return format == Format::kInt8 ? row_tensors(host) : group_tensors(host);
}

std::vector<std::string> packed_names(const io::SafetensorsSet& files, const std::string& layer) {
  const StoredLayer stored(files, layer);
  std::vector<std::string> parts;
  if (const std::string format = four_bit_format(stored); !format.empty())
    parts = {"weight",
             "weight.absmax",
             "weight.quant_map",
             "weight.nested_absmax",
             "weight.nested_quant_map",
             std::string(kState) + format};
  else if (is_int8(stored))
    parts = {"weight", "SCB", "weight_format"};
  else if (stored.has("weight_packed"))
    parts = {"weight_packed", "weight_scale", "weight_shape", "weight_zero_point"};
  std::vector<std::string> names;
  for (const std::string& part : parts) names.push_back(stored.full(part));
  return names;
}

PackedMatrix read_packed(const io::SafetensorsSet& files, const std::string& layer,
                         std::int64_t rows, std::int64_t columns) {
  const StoredLayer stored(files, layer);
  PackedMatrix matrix;
  matrix.rows = rows;
  matrix.columns = columns;
  if (const std::string format = four_bit_format(stored); !format.empty())
    read_four_bit(stored, format, matrix);
  else if (is_int8(stored))
    read_rows(stored, matrix);
  else
    read_groups(stored, matrix);
  return matrix;
}

}  // namespace hone::model
