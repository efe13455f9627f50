/* The emptiest useful bridge of Java: one call that gives a copy of the payload; see clients/java/Get.java. */
#include <jni.h>
#include <stdlib.h>
#include <string.h>

static jbyte *bytes;
static jsize length;

JNIEXPORT void JNICALL Java_Get_prepare(JNIEnv *env, jclass class, jint wanted)
{
  (void)env;
  (void)class;
  bytes = malloc((size_t)wanted);
  length = wanted;
  memset(bytes, 'x', (size_t)wanted);
}

JNIEXPORT jbyteArray JNICALL Java_Get_payload(JNIEnv *env, jclass class)
{
  (void)class;
  jbyteArray copy = (*env)->NewByteArray(env, length);
  (*env)->SetByteArrayRegion(env, copy, 0, length, bytes);
  return copy;
}
