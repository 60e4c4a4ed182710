#include "store/libpq.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/check.h"

namespace store {

namespace {

constexpr const char* library_name = "libpq.so.5";

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

base::Result<Libpq> load() {
  void* library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return base::unavailable(fmt::format("{} cannot be loaded: {}", library_name, dlerror()));
  Libpq pq{};
  bool all = true;
  all = all && find(library, "PQcancel", pq.cancel);
  all = all && find(library, "PQclear", pq.clear);
  all = all && find(library, "PQcmdStatus", pq.cmd_status);
  all = all && find(library, "PQcmdTuples", pq.cmd_tuples);
  all = all && find(library, "PQconnectdbParams", pq.connectdb_params);
  all = all && find(library, "PQconninfoFree", pq.conninfo_free);
  all = all && find(library, "PQconninfoParse", pq.conninfo_parse);
  all = all && find(library, "PQconsumeInput", pq.consume_input);
  all = all && find(library, "PQenterPipelineMode", pq.enter_pipeline_mode);
  all = all && find(library, "PQerrorMessage", pq.error_message);
  all = all && find(library, "PQexecParams", pq.exec_params);
  all = all && find(library, "PQfinish", pq.finish);
  all = all && find(library, "PQflush", pq.flush);
  all = all && find(library, "PQfname", pq.fname);
  all = all && find(library, "PQfreemem", pq.freemem);
  all = all && find(library, "PQftype", pq.ftype);
  all = all && find(library, "PQgetCancel", pq.get_cancel);
  all = all && find(library, "PQgetResult", pq.get_result);
  all = all && find(library, "PQgetisnull", pq.getisnull);
  all = all && find(library, "PQgetlength", pq.getlength);
  all = all && find(library, "PQgetvalue", pq.getvalue);
  all = all && find(library, "PQisBusy", pq.is_busy);
  all = all && find(library, "PQnfields", pq.nfields);
  all = all && find(library, "PQnotifies", pq.notifies);
  all = all && find(library, "PQntuples", pq.ntuples);
  all = all && find(library, "PQpipelineSync", pq.pipeline_sync);
  all = all && find(library, "PQresultErrorField", pq.result_error_field);
  all = all && find(library, "PQresultErrorMessage", pq.result_error_message);
  all = all && find(library, "PQresultStatus", pq.result_status);
  all = all && find(library, "PQsendFlushRequest", pq.send_flush_request);
  all = all && find(library, "PQsendPrepare", pq.send_prepare);
  all = all && find(library, "PQsendQueryPrepared", pq.send_query_prepared);
  all = all && find(library, "PQsetNoticeProcessor", pq.set_notice_processor);
  all = all && find(library, "PQsetnonblocking", pq.setnonblocking);
  all = all && find(library, "PQsocket", pq.socket);
  all = all && find(library, "PQstatus", pq.status);
  if (!all) return base::unavailable(fmt::format("{} is too old", library_name));
  return pq;
}

const base::Result<Libpq>& loaded() {
  static const base::Result<Libpq> library = load();
  return library;
}

}  // namespace

base::Result<const Libpq*> load_libpq() {
  if (!loaded()) return loaded().error();
  return &*loaded();
}

const Libpq& pq() {
  static const Libpq* library = [] {
    CHECK(loaded());
    return &*loaded();
  }();
  return *library;
}

}  // namespace store
