#pragma once

#include <filesystem>

#include "export/registry.h"

namespace hone::exporting {

/// Shows a registry's model in MLflow's file store, versions, and tags as aliases:
/// `mlflow ui --backend-store-uri STORE` lists it, and models:/NAME@TAG names a version's source,
/// the folder that it was added from. What was there of that name is written again.
/// @source MLflow 3's FileStore of models: STORE/models/NAME/{meta.yaml, aliases/TAG,
///         version-N/meta.yaml}
/// @throws IoError
void write_mlflow_model(const std::filesystem::path& store, const RegistryModel& model);

}  // namespace hone::exporting
