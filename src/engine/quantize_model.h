#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/decoder.h"
#include "quant/calibrate.h"
#include "quant/error.h"

namespace hone::engine {

/// What calibration rows said of a layer.
struct LayerCalibration {
  double output_error = 0;   ///< ‖X(W − Ŵ)ᵀ‖ / ‖X Wᵀ‖ over the rows
  double nearest_error = 0;  ///< the same, were each weight rounded to the nearest
  double clip = 1;           ///< share of each block's ends that was kept
  std::int64_t tokens = 0;   ///< inputs that it saw
  double largest_input = 0;  ///< largest |x|
  double outlier_share = 0;  ///< of inputs beyond so many standard deviations of their batch's mean
};

/// What packing did to one layer's matrix.
struct PackedLayer {
  std::string name;
  std::int64_t bytes_before = 0, bytes_after = 0;
  quant::MatrixError error;
  std::optional<LayerCalibration> calibration = {};
};

/// How the layers of a model are packed.
struct Packing {
  quant::Recipe recipe;
  std::vector<std::string> skip = {};  ///< as model.quantization_skip
  double outlier_sigma = quant::kOutlierSigma;
};

/// Packs the matrices of a model's layers, one at a time, as loading with the same recipe would.
/// @return what each lost, in the order of the layers
/// @throws ConfigError where `skip` names no layer, where groups do not divide a layer's rows, or
///         where a layer is packed already
std::vector<PackedLayer> quantize_layers(model::Decoder& decoder, const Packing& packing);

/// The same, each matrix packed for the inputs that it meets on calibration rows. Layer by layer:
/// the inputs of a layer are those that the packed layers before it make.
/// @param batches the rows, on the decoder's device
/// @throws ConfigError as above, and where the rounding does not go with the format
/// @source arXiv:2210.17323, section 4
std::vector<PackedLayer> quantize_calibrated(model::Decoder& decoder, const Packing& packing,
                                             const std::vector<model::TokenStream>& batches,
                                             quant::Rounding rounding);

/// Checks that the layers can be packed so. @throws ConfigError as quantize_layers
void check_packing(model::Decoder& decoder, const Packing& packing);

/// Puts a packed matrix in a layer's place. @return what that cost
PackedLayer put_packed(model::Linear& linear, const kernels::PackedMatrix& packed,
                       double outlier_sigma);

}  // namespace hone::engine
