// libpq, loaded when a database is first opened: it brings some twenty libraries along, which would
// triple start and double the memory of a server on SQLite.
#pragma once

#include <libpq-fe.h>

#include "base/result.h"

namespace store {

struct Libpq {
  decltype(&::PQcancel) cancel;
  decltype(&::PQclear) clear;
  decltype(&::PQcmdStatus) cmd_status;
  decltype(&::PQcmdTuples) cmd_tuples;
  decltype(&::PQconnectdbParams) connectdb_params;
  decltype(&::PQconninfoFree) conninfo_free;
  decltype(&::PQconninfoParse) conninfo_parse;
  decltype(&::PQconsumeInput) consume_input;
  decltype(&::PQenterPipelineMode) enter_pipeline_mode;
  decltype(&::PQerrorMessage) error_message;
  decltype(&::PQexecParams) exec_params;
  decltype(&::PQfinish) finish;
  decltype(&::PQflush) flush;
  decltype(&::PQfname) fname;
  decltype(&::PQfreemem) freemem;
  decltype(&::PQftype) ftype;
  decltype(&::PQgetCancel) get_cancel;
  decltype(&::PQgetResult) get_result;
  decltype(&::PQgetisnull) getisnull;
  decltype(&::PQgetlength) getlength;
  decltype(&::PQgetvalue) getvalue;
  decltype(&::PQisBusy) is_busy;
  decltype(&::PQnfields) nfields;
  decltype(&::PQnotifies) notifies;
  decltype(&::PQntuples) ntuples;
  decltype(&::PQpipelineSync) pipeline_sync;
  decltype(&::PQresultErrorField) result_error_field;
  decltype(&::PQresultErrorMessage) result_error_message;
  decltype(&::PQresultStatus) result_status;
  decltype(&::PQsendFlushRequest) send_flush_request;
  decltype(&::PQsendPrepare) send_prepare;
  decltype(&::PQsendQueryPrepared) send_query_prepared;
  decltype(&::PQsetNoticeProcessor) set_notice_processor;
  decltype(&::PQsetnonblocking) setnonblocking;
  decltype(&::PQsocket) socket;
  decltype(&::PQstatus) status;
};

/// Loads it; `unavailable` where it is not installed. Thread-safe.
base::Result<const Libpq*> load_libpq();
/// CHECKs that it is there: for whoever has passed load_libpq().
const Libpq& pq();

}  // namespace store
