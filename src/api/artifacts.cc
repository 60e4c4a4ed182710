// Artifacts: a file that a flow version runs from, uploaded in parts to signed URLs.
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "api/routes.h"
#include "api/signed_query.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "store/artifacts.h"
#include "store/engine_sql.h"

namespace api {

using base::field;
using base::Fields;
using model::Permission;
namespace limits = base::limits;

namespace {

constexpr base::TextRule sha256_rule{"must be a SHA-256 in lower-case hexadecimal",
                                     "^[0-9a-f]{64}$", base::is_sha256};

struct InitiateRequest {
  std::string filename;
  std::int64_t size_bytes = 0;
  std::string content_type = "application/zip";
  std::string sha256;
  std::int64_t part_size = limits::artifact_part_bytes_default;
  static void check(const void* object, const base::Path& path, base::FieldErrors& errors) {
    const auto& request = *static_cast<const InitiateRequest*>(object);
    if (request.size_bytes > limits::artifact_bytes_max) return;  // another refusal
    if (request.size_bytes > limits::artifact_parts_max * request.part_size)
      errors.add(path.member("part_size"),
                 fmt::format("makes more than {} parts", limits::artifact_parts_max));
  }
  static const Fields& fields() {
    using S = InitiateRequest;
    static const Fields fields(
        "UploadRequest",
        {field<&S::filename>("filename", "for people").required().length(1, 255),
         field<&S::size_bytes>("size_bytes", "of the whole").required().range(1, INT64_MAX),
         field<&S::content_type>("content_type", "")
             .length(1, 255)
             .defaults_to("\"application/zip\""),
         field<&S::sha256>("sha256", "of the whole").required().rule(sha256_rule),
         field<&S::part_size>("part_size", "bytes of each part but the last")
             .range(1, limits::artifact_part_bytes_max)
             .defaults_to("5242880")},
        check);
    return fields;
  }
};

struct PartUrl {
  std::int64_t part_number = 0;
  std::string url;
  static const Fields& fields() {
    using S = PartUrl;
    static const Fields fields(
        "UploadPartUrl",
        {field<&S::part_number>("part_number", "1, 2, …").required(),
         field<&S::url>("url", "to PUT it to, below the address of this API").required()});
    return fields;
  }
};

struct Upload {
  std::string upload_id;
  std::string key;
  std::string artifact_uri;
  std::int64_t part_size = 0;
  std::vector<PartUrl> parts;
  base::Timestamp expires_at;
  static const Fields& fields() {
    using S = Upload;
    static const Fields fields(
        "Upload",
        {field<&S::upload_id>("upload_id", "").required(), field<&S::key>("key", "").required(),
         field<&S::artifact_uri>("artifact_uri", "its name once it is complete").required(),
         field<&S::part_size>("part_size", "").required(), field<&S::parts>("parts", "").required(),
         field<&S::expires_at>("expires_at", "of the URLs and of the upload").required()});
    return fields;
  }
};

struct DonePart {
  std::int64_t part_number = 0;
  std::string etag;
  static const Fields& fields() {
    using S = DonePart;
    static const Fields fields(
        "UploadedPart",
        {field<&S::part_number>("part_number", "").required().range(1, limits::artifact_parts_max),
         field<&S::etag>("etag", "as the PUT answered it, or without its quotes")
             .required()
             .length(1, 255)});
    return fields;
  }
};

struct CompleteRequest {
  std::string upload_id;
  std::string key;
  std::vector<DonePart> parts;
  static const Fields& fields() {
    using S = CompleteRequest;
    static const Fields fields("CompleteUploadRequest",
                               {field<&S::upload_id>("upload_id", "").required().length(1, 255),
                                field<&S::key>("key", "").required().length(1, 255),
                                field<&S::parts>("parts", "all of them, in order")
                                    .required()
                                    .length(1, limits::artifact_parts_max)});
    return fields;
  }
};

struct AbortRequest {
  std::string upload_id;
  std::string key;
  static const Fields& fields() {
    using S = AbortRequest;
    static const Fields fields("AbortUploadRequest",
                               {field<&S::upload_id>("upload_id", "").required().length(1, 255),
                                field<&S::key>("key", "").required().length(1, 255)});
    return fields;
  }
};

struct Artifact {
  std::string artifact_uri;
  std::int64_t size_bytes = 0;
  std::string etag;
  static const Fields& fields() {
    using S = Artifact;
    static const Fields fields(
        "Artifact", {field<&S::artifact_uri>("artifact_uri", "what POST /flows takes").required(),
                     field<&S::size_bytes>("size_bytes", "").required(),
                     field<&S::etag>("etag", "the quoted SHA-256 of the whole").required()});
    return fields;
  }
};

std::string key_of(const store::UploadRow& row) {
  return fmt::format("artifacts/{}", row.sha256);
}

std::string part_path(std::string_view upload_id, std::string_view number) {
  return fmt::format("/artifacts/parts/{}/{}", upload_id, number);
}

std::string quoted(const std::string& sha256) {
  return '"' + sha256 + '"';
}

base::Result<Reply> initiate(const Call& call) {
  auto request = TRY(call.read_body<InitiateRequest>());
  if (request.size_bytes > limits::artifact_bytes_max)
    return base::Error{
        base::ErrorCode::too_large,
        fmt::format("an artifact has at most {} bytes", limits::artifact_bytes_max),
        {{"/size_bytes", fmt::format("must be at most {}", limits::artifact_bytes_max)}}};
  store::UploadRow row;
  row.created_at = call.services.clock.now();
  row.expires_at = row.created_at + limits::artifact_upload_ttl;
  row.upload_id = base::new_id("up", row.created_at, call.services.random);
  row.org_id = call.identity->org_id;
  row.filename = request.filename;
  row.content_type = request.content_type;
  row.size_bytes = request.size_bytes;
  row.sha256 = request.sha256;
  row.part_size = request.part_size;
  row.created_by = call.identity->email;
  store::AuditRow audit = call.audit("artifact.initiate", "upload", row.upload_id, 201);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(store::insert_upload(tx, row));
    return store::insert_audit(tx, audit);
  }));
  Upload upload{row.upload_id, key_of(row), store::artifact_uri(row.sha256),
                row.part_size, {},          row.expires_at};
  for (std::int64_t number = 1; number <= row.part_count(); ++number)
    upload.parts.push_back(
        {number, call.services.signed_urls.sign(
                     "PUT", part_path(row.upload_id, std::to_string(number)), row.expires_at)});
  return json_reply(201, upload);
}

// ---- parts ----

// The signature names this very path, so a number that is written in another way is wrong before.
base::Result<std::int64_t> part_number(const store::UploadRow& row, std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (number < 1 || number > row.part_count())
    return base::not_found(fmt::format("upload {} has no part {}", row.upload_id, text));
  return number;
}

base::Result<> check_length(std::size_t size, std::int64_t expected) {
  if (std::cmp_equal(size, expected)) return {};
  std::string rule = fmt::format("this part must have {} bytes, not {}", expected, size);
  if (std::cmp_greater(size, expected))
    return base::Error{base::ErrorCode::too_large, std::move(rule)};
  return base::invalid(std::move(rule));
}

base::Result<Reply> put_part(const Call& call) {
  TRY(check_signature(call, part_path(call.path[0], call.path[1])));
  base::Timestamp now = call.services.clock.now();
  store::UploadRow upload;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    upload = TRY(store::find_upload(tx, call.path[0], now));
    return {};
  }));
  store::PartRow part;
  part.number = TRY(part_number(upload, call.path[1]));
  TRY(check_length(call.request.body.size(), upload.part_bytes(part.number)));
  part.object = TRY(call.services.objects.put(call.request.body));
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(store::find_upload(tx, upload.upload_id, now));  // it may be over meanwhile
    return store::put_part(tx, upload.upload_id, part);
  }));
  Reply reply;
  reply.response.headers.push_back({"ETag", quoted(part.object)});
  return reply;
}

// ---- the end ----

// Somebody else's upload, or another key, is as none.
base::Result<store::UploadRow> own_upload(const Call& call, store::Tx& tx,
                                          const std::string& upload_id, const std::string& key) {
  auto row = TRY(store::find_upload(tx, upload_id, call.services.clock.now()));
  if (row.org_id != call.identity->org_id || key != key_of(row))
    return base::not_found(fmt::format("no upload {} is under way", upload_id));
  return row;
}

base::Result<> check_parts(const CompleteRequest& request, const store::UploadRow& upload,
                           const std::vector<store::PartRow>& parts) {
  base::FieldErrors errors;
  base::Path root;
  base::Path list = root.member("parts");
  if (std::cmp_not_equal(request.parts.size(), upload.part_count()))
    errors.add(list, fmt::format("must name the {} parts of the upload", upload.part_count()));
  auto there = parts.begin();
  for (std::size_t i = 0; i < request.parts.size() && errors.empty(); ++i) {
    const DonePart& part = request.parts[i];
    base::Path here = list.element(i);
    if (std::cmp_not_equal(part.part_number, i + 1)) {
      errors.add(here.member("part_number"), fmt::format("must be {}: parts in order", i + 1));
    } else if (there == parts.end() || there->number != part.part_number) {
      errors.add(here.member("part_number"), "this part has not been uploaded");
    } else if (part.etag != there->object && part.etag != quoted(there->object)) {
      errors.add(here.member("etag"), "the part has another: " + quoted(there->object));
    } else {
      ++there;
    }
  }
  if (!errors.empty()) return std::move(errors).error();
  return {};
}

base::Result<> check_whole(const Call& call, const store::UploadRow& upload,
                           const std::vector<store::PartRow>& parts) {
  base::Sha256 hash;
  TRY(store::for_each_part(call.services.objects, parts,
                           [&](const std::string& bytes) -> base::Result<> {
                             hash.add(bytes);
                             return {};
                           }));
  std::string found = hash.hex();
  if (found == upload.sha256) return {};
  std::string message = fmt::format("together they have SHA-256 {}, not {}", found, upload.sha256);
  return base::invalid("/parts: " + message, {{"/parts", message}});
}

base::Result<Reply> complete(const Call& call) {
  auto request = TRY(call.read_body<CompleteRequest>());
  store::UploadRow upload;
  std::vector<store::PartRow> parts;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    upload = TRY(own_upload(call, tx, request.upload_id, request.key));
    parts = TRY(store::upload_parts(tx, upload.upload_id));
    return {};
  }));
  TRY(check_parts(request, upload, parts));
  TRY(check_whole(call, upload, parts));
  Artifact artifact{store::artifact_uri(upload.sha256), upload.size_bytes, quoted(upload.sha256)};
  store::AuditRow audit = call.audit("artifact.complete", "artifact", artifact.artifact_uri, 200);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(own_upload(call, tx, request.upload_id, request.key));
    if (TRY(store::upload_parts(tx, upload.upload_id)) != parts)
      return base::invalid("/parts: a part was uploaded again meanwhile",
                           {{"/parts", "a part was uploaded again meanwhile"}});
    TRY(store::finish_upload(tx, upload, call.services.clock.now()));
    return store::insert_audit(tx, audit);
  }));
  return json_reply(200, artifact);
}

base::Result<Reply> abort(const Call& call) {
  auto request = TRY(call.read_body<AbortRequest>());
  store::AuditRow audit = call.audit("artifact.abort", "upload", request.upload_id, 204);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(own_upload(call, tx, request.upload_id, request.key));
    TRY(store::delete_upload(tx, request.upload_id));
    return store::insert_audit(tx, audit);
  }));
  return empty_reply();
}

}  // namespace

Category artifacts_category() {
  return {"Artifacts",
          "Files that flow versions run from: uploaded in parts, named by their SHA-256",
          {{.method = Method::post,
            .path = "/artifacts/multipart/initiate",
            .access = Access::need(Permission::flows_write),
            .name = "initiateUpload",
            .summary = "Begin an upload; the answer has a signed URL for each part",
            .handler = initiate,
            .body = InitiateRequest::fields,
            .answers = {{201, "Begun", Upload::fields},
                        {409, "The organization has as many uploads under way as it may"},
                        {413, "The artifact is larger than 5 GiB"}}},
           {.method = Method::put,
            .path = "/artifacts/parts/{upload_id}/{part_number}",
            .access = Access::anyone(),
            .name = "uploadPart",
            .summary = "Upload the bytes of a part; the URL is its credential",
            .handler = put_part,
            .query = SignedQuery::fields,
            .answers = {{200, "Kept; the header ETag is the quoted SHA-256 of the part"},
                        {403, "The signature is wrong, or its time is over"},
                        {404, "The upload is not under way"},
                        {413, "The body is larger than the part"},
                        {422, "The body is smaller than the part"}},
            .rate_limited = false,  // beginning the upload was, and it has up to 1,024 parts
            .raw_body = true},
           {.method = Method::post,
            .path = "/artifacts/multipart/complete",
            .access = Access::need(Permission::flows_write),
            .name = "completeUpload",
            .summary = "Make the uploaded parts an artifact",
            .handler = complete,
            .body = CompleteRequest::fields,
            .answers = {{200, "Complete", Artifact::fields},
                        {404, "The upload is not under way"},
                        {422, "A part is missing or another, or the whole is"}}},
           {.method = Method::post,
            .path = "/artifacts/multipart/abort",
            .access = Access::need(Permission::flows_write),
            .name = "abortUpload",
            .summary = "End an upload; its parts go",
            .handler = abort,
            .body = AbortRequest::fields,
            .answers = {{204, "Ended"}, {404, "The upload is not under way"}}}}};
}

}  // namespace api
