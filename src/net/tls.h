// TLS of the server (OpenSSL), free of sockets: bytes of the wire go in and come out.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

namespace net {

/// A certificate with its key. TLS 1.2 and 1.3. Thread-safe.
class TlsContext {
 public:
  /// PEM files: the certificate with those that lead to its authority, and its private key.
  /// `invalid` names the file that cannot be used, or says that the two do not belong together.
  static base::Result<std::shared_ptr<const TlsContext>> create(const std::string& certificate_file,
                                                                const std::string& key_file);
  ssl_ctx_st* get() const { return context_.get(); }

 private:
  explicit TlsContext(ssl_ctx_st* context);
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
};

/// One connection. Not thread-safe.
class TlsSession {
 public:
  explicit TlsSession(const TlsContext& context);

  /// Takes bytes that have come from the client.
  void receive(std::string_view wire);
  enum class State { open, ended, failed };  // ended: the client sends no more
  struct Read {
    std::size_t bytes = 0;  // 0 while open: more must be received first
    State state = State::open;
  };
  /// What was received, as far as it goes into `into`. Goes on with the handshake, too.
  Read read(std::span<char> into);
  /// Takes some of `plain`, to be sent; the number of bytes, 0 before the end of the handshake.
  std::size_t write(std::string_view plain);
  /// Says that nothing more follows.
  void end();

  /// Bytes for the client. They stay until they are told to be sent.
  std::string_view to_send();
  void sent(std::size_t bytes);

 private:
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> session_;
  bio_st* in_;   // of the session
  bio_st* out_;  // likewise
  std::string to_send_;
  std::size_t sent_ = 0;  // of to_send_
};

}  // namespace net
