dnl Builds the extension against libflagstore, found by pkg-config or below a given folder.

PHP_ARG_WITH([flagstore],
  [whether to build against libflagstore],
  [AS_HELP_STRING([--with-flagstore@<:@=DIR@:>@],
    [The LaunchDarkly DynamoDB feature store. DIR holds include/flagstore.h and lib/libflagstore.so.1;
     without it pkg-config is asked])])

if test "$PHP_FLAGSTORE" != "no"; then
  if test "$PHP_FLAGSTORE" = "yes"; then
    PKG_CHECK_MODULES([FLAGSTORE], [flagstore])
    PHP_EVAL_INCLINE([$FLAGSTORE_CFLAGS])
    PHP_EVAL_LIBLINE([$FLAGSTORE_LIBS], [FLAGSTORE_SHARED_LIBADD])
  else
    AC_MSG_CHECKING([for libflagstore in $PHP_FLAGSTORE])
    if test -r "$PHP_FLAGSTORE/include/flagstore.h" && test -r "$PHP_FLAGSTORE/lib/libflagstore.so.1"; then
      AC_MSG_RESULT([found])
    else
      AC_MSG_ERROR([$PHP_FLAGSTORE lacks include/flagstore.h or lib/libflagstore.so.1: run make install PREFIX=$PHP_FLAGSTORE in flagstore's sources])
    fi
    PHP_ADD_INCLUDE([$PHP_FLAGSTORE/include])
    dnl By its file name, since packages that cannot hold symbolic links have no libflagstore.so.
    FLAGSTORE_SHARED_LIBADD="-L$PHP_FLAGSTORE/lib -l:libflagstore.so.1 -Wl,-rpath,$PHP_FLAGSTORE/lib"
  fi
  PHP_SUBST([FLAGSTORE_SHARED_LIBADD])
  PHP_NEW_EXTENSION([flagstore], [flagstore.c], [$ext_shared],, [-Wall -Wextra -Wno-unused-parameter])
fi
