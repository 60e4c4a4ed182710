#include "net/curl.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/check.h"

namespace net {

namespace {

constexpr const char* library_name = "libcurl.so.4";

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

base::Result<Curl> load() {
  void* library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return base::unavailable(fmt::format("{} cannot be loaded: {}", library_name, dlerror()));
  Curl curl{};
  bool all = true;
  all = all && find(library, "curl_global_init", curl.global_init);
  all = all && find(library, "curl_free", curl.free);
  all = all && find(library, "curl_url", curl.url);
  all = all && find(library, "curl_url_cleanup", curl.url_cleanup);
  all = all && find(library, "curl_url_get", curl.url_get);
  all = all && find(library, "curl_url_set", curl.url_set);
  all = all && find(library, "curl_url_strerror", curl.url_strerror);
  all = all && find(library, "curl_slist_append", curl.slist_append);
  all = all && find(library, "curl_slist_free_all", curl.slist_free_all);
  all = all && find(library, "curl_easy_init", curl.easy_init);
  all = all && find(library, "curl_easy_cleanup", curl.easy_cleanup);
  all = all && find(library, "curl_easy_perform", curl.easy_perform);
  all = all && find(library, "curl_easy_reset", curl.easy_reset);
  all = all && find(library, "curl_easy_setopt", curl.easy_setopt);
  all = all && find(library, "curl_easy_getinfo", curl.easy_getinfo);
  all = all && find(library, "curl_easy_strerror", curl.easy_strerror);
  all = all && find(library, "curl_multi_init", curl.multi_init);
  all = all && find(library, "curl_multi_cleanup", curl.multi_cleanup);
  all = all && find(library, "curl_multi_add_handle", curl.multi_add_handle);
  all = all && find(library, "curl_multi_remove_handle", curl.multi_remove_handle);
  all = all && find(library, "curl_multi_perform", curl.multi_perform);
  all = all && find(library, "curl_multi_poll", curl.multi_poll);
  all = all && find(library, "curl_multi_wakeup", curl.multi_wakeup);
  all = all && find(library, "curl_multi_info_read", curl.multi_info_read);
  if (!all) return base::unavailable(fmt::format("{} is too old", library_name));
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return base::unavailable(fmt::format("{} does not start", library_name));
  return curl;
}

}  // namespace

base::Result<const Curl*> load_curl() {
  static const base::Result<Curl> loaded = load();
  if (!loaded) return loaded.error();
  return &*loaded;
}

const Curl& curl() {
  base::Result<const Curl*> loaded = load_curl();
  CHECK(loaded);
  return **loaded;
}

}  // namespace net
