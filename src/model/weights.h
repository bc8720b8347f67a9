#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "io/dtype.h"
#include "model/decoder.h"

namespace hone::model {

/// One weight of a decoder: what files call it, what it should look like, and where it lives.
struct WeightSlot {
  std::string name;                 ///< Hugging Face: model.layers.0.self_attn.q_proj.weight
  std::string gguf_name;            ///< llama.cpp: blk.0.attn_q.weight
  std::vector<std::int64_t> shape;  ///< as in Hugging Face files
  Tensor* tensor;                   ///< inside the decoder it was made from
  Linear* linear = nullptr;         ///< the layer whose weight this is, where it is one's
  // What llama.cpp's converter does to it:
  std::int64_t interleaved_heads = 0;  ///< heads whose rows are interleaved; 0: they are not
  std::int64_t gguf_expert = -1;       ///< its place where the experts of a layer are stacked
  double gguf_offset = 0;              ///< what is to be added to the stored values
};

/// The table of weights that `decoder.spec` asks for, each once (a tied head is not listed), in the
/// order of the layers. The slots point into `decoder`, whose layers are made where they are not
/// there yet.
std::vector<WeightSlot> weight_slots(Decoder& decoder);

/// Number of weights, tied ones counted once.
std::int64_t parameter_count(const Spec& spec);

/// Makes the head the embedding again where the two are tied; to be called after the slots change.
void tie_head(Decoder& decoder);

/// A copy of a stored tensor as LibTorch's. @throws DataError for a dtype that LibTorch has no name
/// for
Tensor to_tensor(const io::TensorView& view);

/// A view of a contiguous CPU tensor's bytes, valid as long as the tensor lives.
io::TensorView view_of(const std::string& name, const Tensor& tensor);

/// Tensors on their way to a file: holds contiguous CPU copies as long as their bytes are written.
class HostTensors {
 public:
  void add(const std::string& name, const Tensor& tensor);
  /// Valid as long as this object.
  const std::vector<io::TensorView>& views() const { return views_; }

 private:
  std::vector<Tensor> kept_;
  std::vector<io::TensorView> views_;
};

torch::Dtype to_torch(io::DType dtype);

/// "fp32", "bf16", ...: what configs call a dtype.
std::string dtype_label(torch::Dtype dtype);

}  // namespace hone::model
