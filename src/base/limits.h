// Every maximum of the program. Sources: flow-spec "Limits" and rest-api, see docs/formats.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace base::limits {

using namespace std::chrono_literals;

// HTTP server
inline constexpr std::size_t body_bytes_max = 8u << 20;
inline constexpr std::size_t bodies_bytes_max = 256u << 20;  // of all requests at a time
inline constexpr std::size_t header_bytes_max = 32u << 10;
inline constexpr std::size_t header_fields_max = 200;
inline constexpr std::size_t pipelined_bytes_max = 16u
                                                   << 10;  // read ahead of the request under way
inline constexpr std::size_t request_id_bytes_max = 128;
inline constexpr std::size_t connections_max = 4096;
inline constexpr std::size_t request_queue_max = 1024;  // complete requests waiting for a worker
inline constexpr std::size_t request_workers = 8;
inline constexpr std::size_t trusted_proxies_max = 1000;        // entries of DAGY_TRUSTED_PROXIES
inline constexpr std::size_t gzip_answer_bytes_min = 8u << 10;  // smaller answers go as they are
inline constexpr auto header_timeout = 10s;    // first byte of a request to the end of its header
inline constexpr auto body_timeout = 60s;      // end of the header to the end of the body
inline constexpr auto write_timeout = 30s;     // without progress
inline constexpr auto idle_timeout = 75s;      // between requests of a kept connection
inline constexpr auto stream_heartbeat = 15s;  // of an answer that goes on
inline constexpr std::size_t stream_pending_bytes_max = 8u << 20;  // not yet read by its client
inline constexpr std::size_t stream_clients_max = 1000;
inline constexpr std::size_t stream_replay_lines_max = 10'000;  // of a log, for one that resumes
inline constexpr std::size_t page_items_max = 1000;
inline constexpr std::size_t page_items_default = 100;
inline constexpr std::size_t query_bytes_max = 8u << 10;

// Documents and values
inline constexpr std::size_t json_depth_max = 64;
inline constexpr std::size_t spec_bytes_max = 4u << 20;
inline constexpr std::size_t tasks_max = 10'000;
inline constexpr std::size_t parameters_bytes_max = 1u << 20;
inline constexpr std::size_t inline_value_bytes_max = 64u << 10;  // above: object storage
inline constexpr std::size_t value_bytes_max = 64u << 20;
inline constexpr std::size_t answer_value_bytes_max =
    4u << 10;  // in GET /runs/{id}, above: a reference
inline constexpr std::size_t answer_task_runs_max = 1000;
inline constexpr std::int64_t duration_seconds_max = 366 * 86'400;  // of any delay or timeout
inline constexpr std::size_t text_bytes_max = 4u << 10;             // descriptions, reasons
inline constexpr std::size_t error_bytes_max = 8u << 10;

// Expressions (CEL)
inline constexpr std::size_t expression_bytes_max = 4u << 10;
inline constexpr std::size_t expression_depth_max = 128;  // parentheses, calls, operators in a row
inline constexpr std::size_t expression_steps_max = 1'000'000;
inline constexpr std::size_t expression_value_bytes_max = 64u << 20;  // built by one evaluation
inline constexpr std::size_t template_expressions_max = 1000;         // `{{ }}` in one document
inline constexpr std::size_t regex_bytes_max = 1u << 10;
inline constexpr std::size_t regex_memory_bytes_max = 256u << 10;  // compiled

// Runs
inline constexpr int retries_max = 100;
inline constexpr int recoveries_max = 3;  // lost attempts of one task, then quarantine
inline constexpr int max_parallel_default = 64;
inline constexpr int max_parallel_max = 10'000;
inline constexpr std::size_t inbox_max = 10'000;
inline constexpr auto command_wait_max = 5s;  // for an engine that waits for its store
inline constexpr std::size_t batch_events_max = 1000;
inline constexpr std::size_t wait_seconds_max = 600;
inline constexpr std::size_t live_runs_max = 100'000;
inline constexpr std::size_t recovered_runs_max = 500;       // in one commit of a restart
inline constexpr std::size_t finish_journal_rows_max = 500;  // deleted in the finishing commit
inline constexpr std::size_t task_chunk_rows_max = 1000;     // task runs a row of run_tasks
inline constexpr std::size_t task_chunk_bytes_max = 1u << 20;
inline constexpr std::size_t idempotency_key_bytes_max = 255;
inline constexpr int concurrency_limit_max = 1'000'000;
inline constexpr std::size_t concurrency_key_bytes_max = 256;  // of the evaluated key
inline constexpr std::size_t cache_key_bytes_max = 4u << 10;   // likewise
inline constexpr int priority_max = 100;
inline constexpr int map_elements_max = 100'000;
inline constexpr int task_runs_max = 200'000;  // tasks and elements of one run
inline constexpr int iterations_max = 1000;
inline constexpr int iterations_default = 100;
inline constexpr std::size_t hooks_max = 100;             // of one kind
inline constexpr auto hooks_timeout = 10min;              // from the decision to their end
inline constexpr int subflow_depth_max = 10;              // runs started by runs
inline constexpr std::size_t explained_tasks_max = 1000;  // in GET /runs/{run_id}/why
inline constexpr std::size_t bulk_runs_max = 200;         // cancelled or repeated by one request
inline constexpr std::size_t search_rows_max = 10'000;    // read for one page of a search
inline constexpr std::size_t stats_buckets_max = 1000;
inline constexpr std::size_t explained_holders_max = 100;  // likewise, of each

// Processes and logs
inline constexpr std::size_t processes_per_core = 4;
inline constexpr auto stop_grace = 5s;                              // SIGTERM to SIGKILL
inline constexpr std::size_t process_request_bytes_max = 4u << 20;  // arguments and environment
inline constexpr std::size_t log_line_bytes_max = 64u << 10;
inline constexpr std::size_t log_bytes_max = 100u << 20;  // a task run
inline constexpr std::size_t log_chunk_bytes_max = 64u << 10;
inline constexpr auto log_flush_interval = 200ms;
inline constexpr std::size_t attempt_processes_max = 1024;  // and threads, of one attempt
inline constexpr std::size_t attempt_open_files_soft = 1024;
inline constexpr std::size_t attempt_open_files_max = 65'536;
inline constexpr std::size_t attempt_tmp_bytes_max = 1u << 30;              // its own /tmp
inline constexpr std::size_t attempt_shared_memory_bytes_max = 256u << 20;  // its own /dev/shm
inline constexpr std::size_t spare_nests = 2;     // namespaces made ahead of the next attempts
inline constexpr std::size_t idle_nests_max = 4;  // kept for more attempts of the same run
inline constexpr auto idle_nest_timeout = 2s;
inline constexpr std::size_t warm_interpreters_max = 16;
inline constexpr std::size_t warm_bytes_max = 2u << 30;  // of memory, of all of them
inline constexpr std::size_t warm_children_ahead = 2;    // forked for attempts to come
inline constexpr auto warm_import_timeout = 30s;
inline constexpr auto warm_idle_timeout = 300s;
inline constexpr auto warm_refusal_ttl = 60s;  // until the same code is tried again
inline constexpr std::size_t warm_keys_max = 1000;
inline constexpr auto nest_margin = 2s;  // beyond the grace, for a nest that does not answer
inline constexpr auto isolation_probe_timeout = 5s;
inline constexpr std::size_t allowed_paths_max = 64;

// Artifacts
inline constexpr std::int64_t artifact_bytes_max = std::int64_t{5} << 30;
inline constexpr std::int64_t artifact_part_bytes_default = 5 << 20;
inline constexpr std::int64_t artifact_part_bytes_max = 8 << 20;  // as any body
inline constexpr std::int64_t artifact_parts_max = 1024;
inline constexpr std::int64_t artifact_uploads_max = 1000;        // open, of one organization
inline constexpr auto artifact_upload_ttl = 24h;                  // from its beginning to its end
inline constexpr auto artifact_unused_ttl = 7 * 24h;              // that no flow version names
inline constexpr std::size_t artifact_entries_max = 20'000;       // files and directories in it
inline constexpr std::size_t artifact_path_bytes_max = 1u << 10;  // of one of them
inline constexpr std::uint64_t artifact_unpacked_bytes_max = std::uint64_t{8} << 30;
inline constexpr std::uint64_t artifact_ratio_max = 200;  // unpacked to packed, beyond the first
inline constexpr std::uint64_t artifact_ratio_free_bytes = 16u << 20;  // bytes, which may be any
inline constexpr std::uint64_t artifacts_unpacked_bytes_max = std::uint64_t{16} << 30;  // kept

// Calls to outside
inline constexpr std::size_t http_transfers_max = 1000;  // at a time; more wait
inline constexpr int http_redirects_max = 10;
inline constexpr std::size_t http_url_bytes_max = 8u << 10;
inline constexpr std::size_t http_headers_max = 100;              // of a request
inline constexpr std::size_t http_header_bytes_max = 64u << 10;   // all together
inline constexpr std::size_t http_body_bytes_max = 16u << 20;     // of a request or an answer
inline constexpr std::size_t http_bodies_bytes_max = 512u << 20;  // of all answers in memory
inline constexpr auto http_connect_timeout = 10s;                 // name, connection and TLS
inline constexpr auto http_dns_ttl = 5s;
inline constexpr auto http_silence_timeout = 300s;  // without a byte
inline constexpr int http_pages_max = 1000;
inline constexpr int http_pages_default = 100;
inline constexpr std::size_t http_allow_max = 1000;  // entries of DAGY_HTTP_ALLOW

// The command line
inline constexpr std::size_t session_body_bytes_max = 256u << 20;  // of one answer
inline constexpr auto session_silence_timeout = 660s;  // longer than a run may be waited for
inline constexpr auto stream_silence_timeout = 45s;    // three heartbeats
inline constexpr auto reconnect_pause = 1s;
inline constexpr int reconnects_max = 60;  // in a row, of a run that is followed
inline constexpr std::size_t config_bytes_max = 1u << 20;
inline constexpr std::size_t built_artifact_bytes_max = 512u << 20;  // of a local build, in memory

// Store
inline constexpr std::size_t write_rows_max = 1000;
inline constexpr auto write_slice = 5ms;
inline constexpr std::size_t writer_queue_max = 10'000;
inline constexpr int readers_max = 4;
inline constexpr int checkpoint_pages_idle = 4000;
inline constexpr int checkpoint_pages_hard = 8000;
inline constexpr int log_pages_kept = 16'000;   // a longer write-ahead log's file is cut
inline constexpr auto reader_pause_max = 50ms;  // for readers to end, so that the log begins anew
inline constexpr auto long_log_retry = 5s;
inline constexpr std::uint64_t free_disk_bytes_min = 64u << 20;

// PostgreSQL
inline constexpr int postgres_connections_default = 8;  // beside the engine's and the heartbeat's
inline constexpr int postgres_connections_max = 1000;
inline constexpr auto postgres_borrow_timeout = 5s;  // for one of them to be free
inline constexpr auto postgres_connect_timeout = 5s;
inline constexpr auto postgres_reconnect_min = 100ms;  // between attempts, doubled each time
inline constexpr auto postgres_reconnect_max = 2s;
inline constexpr auto postgres_statement_timeout = 30s;
inline constexpr auto postgres_lock_timeout = 10s;
inline constexpr auto postgres_idle_transaction_timeout = 3s;
inline constexpr auto postgres_silence_max = 35s;      // without a byte of an answer
inline constexpr auto postgres_silence_stopping = 2s;  // the same, when the server stops
inline constexpr int postgres_attempts_max = 50;       // of a transaction that must be repeated
inline constexpr auto postgres_disk_full_pause = 5s;   // until new runs are tried again
inline constexpr int postgres_version_min = 150'000;   // as server_version_num has it
inline constexpr auto postgres_outcome_max = 10s;      // to find out what became of a COMMIT
inline constexpr auto node_heartbeat = 2s;
inline constexpr auto node_lease = 10s;           // without a heartbeat another node takes over
inline constexpr auto node_observation_min = 5s;  // of a node that seems dead
inline constexpr int node_ids_max = 1024;

inline constexpr int processes_alone_max = 8;  // of no run: tests of connections

// sql tasks
inline constexpr std::size_t connections_of_organization_max = 1000;
inline constexpr std::size_t sql_statement_bytes_max = 1u << 20;
inline constexpr std::size_t sql_parameters_max = 10'000;
inline constexpr std::size_t sql_rows_max = 100'000;  // of one result
inline constexpr auto sql_connect_timeout = 10s;
inline constexpr std::chrono::milliseconds sql_busy_timeout = 5s;  // for another writer of a file

// People
inline constexpr std::size_t email_bytes_max = 254;
inline constexpr std::size_t password_bytes_min = 12;
inline constexpr std::size_t password_bytes_max = 1024;
inline constexpr std::size_t label_bytes_max = 128;  // names for people
inline constexpr std::size_t api_keys_max = 1000;    // of one organization
inline constexpr auto access_token_ttl = 24h;
inline constexpr int rate_limit_per_minute = 120;
inline constexpr int rate_limit_burst = 200;
inline constexpr std::size_t rate_limit_clients_max = 100'000;
inline constexpr std::size_t login_backoff_entries_max = 10'000;

}  // namespace base::limits
