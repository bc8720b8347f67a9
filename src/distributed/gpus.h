#pragma once

#include <filesystem>
#include <string>

namespace hone::distributed {

/// How many GPUs a process started here would see, without CUDA: those that CUDA_VISIBLE_DEVICES
/// names where it is set, else those that NVIDIA's driver lists.
/// @param visible the variable's value, or null
/// @param listed the driver's folder, with an entry for each GPU
int count_gpus(const char* visible, const std::filesystem::path& listed);
/// Of this process's own environment.
int count_gpus();

}  // namespace hone::distributed
