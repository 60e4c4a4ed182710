#include "cli/artifact_upload.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "cli/files.h"

namespace cli {

namespace {

struct Upload {
  std::string id;
  std::string key;
  std::size_t part_bytes = 0;
  std::vector<std::pair<std::int64_t, std::string>> parts;  // number, URL
};

base::Error not_understood() {
  return {base::ErrorCode::upstream, "the answer to the upload is not understood"};
}

base::Result<Upload> begin_upload(ApiClient& client, const std::string& bytes) {
  std::string body;
  base::JsonWriter writer(body);
  writer.begin_object().member("filename", "artifact.zip").member("size_bytes", bytes.size());
  writer.member("content_type", "application/zip").member("sha256", base::sha256_hex(bytes));
  writer.member("part_size", base::limits::artifact_part_bytes_default).end_object();
  Document answer = TRY(client.call("POST", "/artifacts/multipart/initiate", std::move(body)));
  auto id = answer->root().find("upload_id"), key = answer->root().find("key");
  auto part_size = answer->root().find("part_size"), parts = answer->root().find("parts");
  if (!id || !key || !part_size || !part_size->integer() || !parts || !parts->is_array())
    return not_understood();
  Upload upload{id->string(), key->string(), std::size_t(*part_size->integer()), {}};
  for (base::JsonView part : parts->elements()) {
    auto number = part.find("part_number"), url = part.find("url");
    if (!number || !number->integer() || !url) return not_understood();
    upload.parts.emplace_back(*number->integer(), url->string());
  }
  if (upload.part_bytes == 0) return not_understood();
  return upload;
}

void begin_request(base::JsonWriter& writer, const Upload& upload) {
  writer.begin_object().member("upload_id", upload.id).member("key", upload.key);
}

// The parts in order; what completes the upload.
base::Result<std::string> send_parts(ApiClient& client, const Upload& upload,
                                     const std::string& bytes) {
  std::string body;
  base::JsonWriter writer(body);
  begin_request(writer, upload);
  writer.key("parts").begin_array();
  std::size_t sent = 0;
  for (const auto& [number, url] : upload.parts) {
    std::string part = bytes.substr(std::min(sent, bytes.size()), upload.part_bytes);
    sent += part.size();
    net::SessionResponse answer = TRY(client.put(url, std::move(part)));
    writer.begin_object().member("part_number", number);
    writer.member("etag", answer.header("etag")).end_object();
  }
  writer.end_array().end_object();
  if (sent != bytes.size()) return not_understood();
  return body;
}

}  // namespace

base::Result<std::string> upload_artifact(ApiClient& client, const std::string& path) {
  std::string bytes = TRY(read_file(path, base::limits::built_artifact_bytes_max));
  Upload upload = TRY(begin_upload(client, bytes));
  base::Result<std::string> order = send_parts(client, upload, bytes);
  base::Result<Document> answer = order
                                      ? client.call("POST", "/artifacts/multipart/complete", *order)
                                      : base::Result<Document>(order.error());
  if (!answer) {  // what was sent is given up, whatever is answered to that
    std::string body;
    base::JsonWriter writer(body);
    begin_request(writer, upload);
    writer.end_object();
    (void)client.call("POST", "/artifacts/multipart/abort", std::move(body));
    return answer.error();
  }
  auto uri = (*answer)->root().find("artifact_uri");
  if (!uri || !uri->is_string()) return not_understood();
  return uri->string();
}

}  // namespace cli
