/*
 * Reads out of the library's cache for Ruby: the one call that is made so often that the ffi gem's way to it, with a dozen
 * objects a call, costs many times the call. lib/flagstore/hits.rb has the same by ffi, for Rubies that this was not
 * compiled for.
 *
 * The library is the one that the ffi gem has loaded: `use` is told where its functions are. With Ruby's lock all the time,
 * since a read out of the cache takes less time than letting it go would; and no handler of a signal and no other thread
 * runs between the library's answer and the object that is made of it.
 */
#include <ruby.h>
#include <ruby/encoding.h>
#include <stdint.h>

#include "flagstore.h"

static __typeof__(&store_get_cached) get_cached;
static __typeof__(&store_item_free) item_free;

static VALUE item_class, not_cached;

enum { KEY, VERSION, ITEM, DELETED, STALE, MEMBERS };
static const char *const names[MEMBERS] = {"@key", "@version", "@item", "@deleted", "@stale"};
static ID members[MEMBERS];

/* A text whose bytes are UTF-8 as they are, or nil: whoever asks DynamoDB next converts it, or says what is wrong with it. */
static VALUE text_of(VALUE given)
{
  VALUE text = RB_SYMBOL_P(given) ? rb_sym2str(given) : given;
  if (!RB_TYPE_P(text, T_STRING))
    return Qnil;
  int encoding = rb_enc_get_index(text);
  if (encoding != rb_utf8_encindex() && encoding != rb_usascii_encindex())
    return Qnil;
  return rb_enc_str_coderange(text) == ENC_CODERANGE_BROKEN ? Qnil : text;
}

struct hit {
  VALUE key;
  store_item found;
};

static VALUE made_item(VALUE of)
{
  const struct hit *hit = (const struct hit *)of;
  VALUE payload = Qnil;
  if (!hit->found.deleted) {
    payload = rb_utf8_str_new(hit->found.item, (long)hit->found.item_len);
    rb_obj_freeze(payload);
  }
  VALUE item = rb_obj_alloc(item_class);
  rb_ivar_set(item, members[KEY], rb_str_new_frozen(hit->key));
  rb_ivar_set(item, members[VERSION], LL2NUM(hit->found.version));
  rb_ivar_set(item, members[ITEM], payload);
  rb_ivar_set(item, members[DELETED], hit->found.deleted ? Qtrue : Qfalse);
  rb_ivar_set(item, members[STALE], hit->found.stale ? Qtrue : Qfalse);
  return rb_obj_freeze(item);
}

static VALUE freed_item(VALUE of)
{
  item_free(&((struct hit *)of)->found);
  return Qnil;
}

/* (store, kind, key) => an item, nil for a row that is known not to be there, or :not_cached */
static VALUE get(VALUE self, VALUE store, VALUE kind, VALUE key)
{
  struct hit hit;
  VALUE of_kind = text_of(kind);
  hit.key = text_of(key);
  (void)self;
  if (NIL_P(of_kind) || NIL_P(hit.key))
    return not_cached;
  int32_t code = get_cached(NUM2ULL(store), RSTRING_PTR(of_kind), (size_t)RSTRING_LEN(of_kind), RSTRING_PTR(hit.key),
                            (size_t)RSTRING_LEN(hit.key), &hit.found, NULL);
  RB_GC_GUARD(of_kind);
  if (code == STORE_NOT_FOUND)
    return Qnil;
  return code == STORE_OK ? rb_ensure(made_item, (VALUE)&hit, freed_item, (VALUE)&hit) : not_cached;
}

/* (address of store_get_cached, address of store_item_free, class of items) => nil */
static VALUE use(VALUE self, VALUE reads, VALUE frees, VALUE items)
{
  (void)self;
  get_cached = (__typeof__(get_cached))(uintptr_t)NUM2ULL(reads);
  item_free = (__typeof__(item_free))(uintptr_t)NUM2ULL(frees);
  item_class = items;
  return Qnil;
}

void Init_hits(void)
{
  VALUE hits = rb_define_module_under(rb_define_module("Flagstore"), "CompiledHits");
  rb_global_variable(&item_class);
  not_cached = ID2SYM(rb_intern("not_cached"));
  for (int member = 0; member < MEMBERS; member++)
    members[member] = rb_intern(names[member]);
  rb_define_singleton_method(hits, "use", use, 3);
  rb_define_singleton_method(hits, "get", get, 3);
}
