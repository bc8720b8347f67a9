#include <ggml.h>

#include <cstring>

#include "base/error.h"
#include "io/dtype.h"
#include "io/gguf.h"
#include "io/gguf_header.h"

namespace hone::io {
namespace {

template <class Stored>
void convert(const std::byte* data, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i)
    out[i] = static_cast<float>(
        load_unaligned<Stored>(data + static_cast<std::size_t>(i) * sizeof(Stored)));
}

}  // namespace

std::int64_t row_size(const GgufTensor& tensor) {
  return tensor.shape.empty() ? 1 : tensor.shape.back();
}

std::int64_t num_rows(const GgufTensor& tensor) {
  std::int64_t rows = 1;
  for (std::size_t axis = 0; axis + 1 < tensor.shape.size(); ++axis) rows *= tensor.shape[axis];
  return rows;
}

void dequantize_rows(const GgufTensor& tensor, std::int64_t first_row, std::int64_t count,
                     float* out) {
  HONE_ASSERT(first_row >= 0 && count >= 0 && first_row <= num_rows(tensor) - count,
              "rows [{}, {}+{}) of '{}' {}", first_row, first_row, count, tensor.name,
              shape_text(tensor.shape));
  const auto type = static_cast<ggml_type>(tensor.ggml_type);
  const std::byte* data =
      tensor.data + static_cast<std::size_t>(first_row) * ggml_row_size(type, row_size(tensor));
  const std::int64_t elements = count * row_size(tensor);
  switch (type) {
    case GGML_TYPE_F32:
      return convert<float>(data, elements, out);
    case GGML_TYPE_F64:
      return convert<double>(data, elements, out);
    case GGML_TYPE_I8:
      return convert<std::int8_t>(data, elements, out);
    case GGML_TYPE_I16:
      return convert<std::int16_t>(data, elements, out);
    case GGML_TYPE_I32:
      return convert<std::int32_t>(data, elements, out);
    case GGML_TYPE_I64:
      return convert<std::int64_t>(data, elements, out);
    default:
      break;
  }
  const ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
  HONE_CHECK(DataError, to_float != nullptr,
             "tensor '{}' has type {}, which ggml uses while computing and never stores in a file",
             tensor.name, tensor.type_name);
  to_float(data, out, elements);
}

void dequantize(const GgufTensor& tensor, float* out) {
  dequantize_rows(tensor, 0, num_rows(tensor), out);
}

}  // namespace hone::io
