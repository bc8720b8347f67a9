#include <utility>

#include "base/error.h"
#include "datasets/formats.h"

namespace hone::datasets {

Record messages_to_record(Row row) { return {RecordKind::kConversation, std::move(row)}; }

Row messages_from_record(const Record& record, std::string&) {
  HONE_CHECK(DataError, record.kind == RecordKind::kConversation,
             "a {} record is no conversation; choose another format", name_of(record.kind));
  return record.value;
}

}  // namespace hone::datasets
