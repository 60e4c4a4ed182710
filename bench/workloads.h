// The workloads of docs/speed.md: each gives its rows of the table.
#pragma once

#include <vector>

#include "row.h"
#include "server_process.h"

namespace bench {

/// W1 to W5, on a server that has just started.
std::vector<Row> run_all(ServerProcess& server);
/// What a server does to its database when nothing is asked of it.
std::vector<Row> run_idle(ServerProcess& server);
/// Reads of a run against a bare server of the same HTTP library.
std::vector<Row> run_reads(ServerProcess& server);
/// W1, W2 and a list with many finished runs, against the same with few, on a server that has just
/// started.
std::vector<Row> run_full(ServerProcess& server);
/// How fast the API answers while the server has something else to bear.
std::vector<Row> run_answers(ServerProcess& server);

}  // namespace bench
