/* The emptiest useful module of Python: one function, on the stable ABI and called as a store's get is, that gives a copy of the
   payload; see clients/get.py. */
#define Py_LIMITED_API 0x030A0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

static char *bytes;
static Py_ssize_t length;

static PyObject *prepare(PyObject *module, PyObject *wanted)
{
  (void)module;
  length = PyLong_AsSsize_t(wanted);
  if (length < 0 || (bytes = PyMem_Malloc((size_t)length + 1)) == NULL)
    return PyErr_Occurred() ? NULL : PyErr_NoMemory();
  memset(bytes, 'x', (size_t)length);
  Py_INCREF(Py_None);
  return Py_None;
}

static PyObject *get(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
  (void)module;
  (void)given;
  (void)count;
  return PyBytes_FromStringAndSize(bytes, length);
}

static PyMethodDef functions[] = {
  {"prepare", prepare, METH_O, NULL},
  {"get", (PyCFunction)(void (*)(void))get, METH_FASTCALL, NULL},
  {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
  PyModuleDef_HEAD_INIT,
  .m_name = "python_floor",
  .m_size = -1,
  .m_methods = functions,
};

PyMODINIT_FUNC PyInit_python_floor(void)
{
  return PyModule_Create(&definition);
}
