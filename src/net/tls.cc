#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "base/check.h"

namespace net {

namespace {

constexpr std::size_t record_bytes_max = 16u << 10;  // of TLS

base::Error unusable(const char* what, const std::string& file) {
  const char* reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return base::invalid(std::string(what) + " " + file + ": " +
                       (reason != nullptr ? reason : "cannot be read"));
}

// The only protocol that this server speaks (RFC 7301).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  int outcome =
      SSL_select_next_proto(&found, chosen_size, ours, sizeof ours - 1, offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

TlsContext::TlsContext(ssl_ctx_st* context) : context_(context, SSL_CTX_free) {}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::create(
    const std::string& certificate_file, const std::string& key_file) {
  std::shared_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* context = made->get();
  CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    return unusable("certificate", certificate_file);
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return unusable("key", key_file);
  if (SSL_CTX_check_private_key(context) != 1) return unusable("key", key_file);
  return std::shared_ptr<const TlsContext>(std::move(made));
}

TlsSession::TlsSession(const TlsContext& context)
    : session_(SSL_new(context.get()), SSL_free),
      in_(BIO_new(BIO_s_mem())),
      out_(BIO_new(BIO_s_mem())) {
  CHECK(session_ != nullptr && in_ != nullptr && out_ != nullptr);
  SSL_set_bio(session_.get(), in_, out_);
  SSL_set_accept_state(session_.get());
}

void TlsSession::receive(std::string_view wire) {
  CHECK(BIO_write(in_, wire.data(), static_cast<int>(wire.size())) ==
        static_cast<int>(wire.size()));
}

TlsSession::Read TlsSession::read(std::span<char> into) {
  ERR_clear_error();
  std::size_t bytes = 0;
  if (SSL_read_ex(session_.get(), into.data(), into.size(), &bytes) == 1) return {bytes};
  switch (SSL_get_error(session_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {};
    case SSL_ERROR_ZERO_RETURN:
      return {0, State::ended};
    default:
      ERR_clear_error();
      return {0, State::failed};
  }
}

std::size_t TlsSession::write(std::string_view plain) {
  ERR_clear_error();
  std::size_t taken = 0;
  std::size_t size = std::min(plain.size(), record_bytes_max);
  if (SSL_write_ex(session_.get(), plain.data(), size, &taken) != 1) return 0;
  return taken;
}

void TlsSession::end() {
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

std::string_view TlsSession::to_send() {
  if (sent_ == to_send_.size()) {
    to_send_.clear();
    sent_ = 0;
  }
  if (std::size_t waiting = BIO_ctrl_pending(out_); waiting > 0) {
    std::size_t before = to_send_.size();
    to_send_.resize(before + waiting);
    BIO_read(out_, to_send_.data() + before, static_cast<int>(waiting));
  }
  return std::string_view(to_send_).substr(sent_);
}

void TlsSession::sent(std::size_t bytes) {
  sent_ += bytes;
}

}  // namespace net
