using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>A test: a public method without parameters of a class with a public constructor without any.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestAttribute : Attribute
    {
    }

    /// <summary>What a test throws that cannot run here; the message is the reason.</summary>
    public sealed class SkippedException : Exception
    {
        public SkippedException(string reason) : base(reason)
        {
        }
    }

    /// <summary>
    /// Runs the tests, each under a watchdog, and closes with the sum; or, as a child process of a test, a part of it.
    /// A runner of our own: NUnit's would bring 29 packages to the test machine for what these lines do.
    /// </summary>
    public static class Runner
    {
        private static readonly TimeSpan Watchdog = TimeSpan.FromSeconds(120);

        public static int Main(string[] arguments)
        {
            return arguments.Length > 1 && arguments[0] == "--child"
                ? Child.Be(arguments[1], arguments.Skip(2).ToArray())
                : All(arguments.FirstOrDefault() ?? "");
        }

        private static int All(string filter)
        {
            Environment.SetEnvironmentVariable("FLAGSTORE_LIBRARY", Endpoint.Library);
            int passed = 0;
            int failed = 0;
            int skipped = 0;
            foreach (MethodInfo test in Tests(filter))
            {
                string name = test.DeclaringType.Name + "." + test.Name;
                Stopwatch watch = Stopwatch.StartNew();
                Exception error = Outcome(test);
                if (watch.Elapsed > TimeSpan.FromSeconds(10)) Console.WriteLine("slow: {0} took {1:0} s", name, watch.Elapsed.TotalSeconds);
                if (error == null)
                {
                    passed++;
                }
                else if (error is SkippedException)
                {
                    skipped++;
                    Console.WriteLine("skipped: {0}: {1}", name, error.Message);
                }
                else
                {
                    failed++;
                    Console.WriteLine("FAILED: {0}: {1}", name, error);
                }
            }
            Endpoint.EndAll();
            Console.WriteLine("{0} passed, {1} failed, {2} skipped", passed, failed, skipped);
            Console.Out.Flush();
            // Not a return: a test that hung left a thread behind.
            Environment.Exit(failed > 0 || passed == 0 ? 1 : 0);
            return 1;
        }

        private static IEnumerable<MethodInfo> Tests(string filter) =>
            from type in typeof(Runner).GetTypeInfo().Assembly.GetTypes()
            orderby type.Name
            from method in type.GetMethods()
            where method.GetCustomAttribute<TestAttribute>() != null
            where (type.Name + "." + method.Name).IndexOf(filter, StringComparison.OrdinalIgnoreCase) >= 0
            select method;

        private static Exception Outcome(MethodInfo test)
        {
            Exception error = null;
            var thread = new Thread(() => error = Thrown(test)) { IsBackground = true };
            thread.Start();
            if (thread.Join(Watchdog)) return error;
            return new TimeoutException("not over after " + Watchdog.TotalSeconds + " s");
        }

        private static Exception Thrown(MethodInfo test)
        {
            object holder = null;
            try
            {
                holder = Activator.CreateInstance(test.DeclaringType);
                (test.Invoke(holder, null) as Task)?.GetAwaiter().GetResult();
                return null;
            }
            catch (TargetInvocationException error)
            {
                return error.InnerException;
            }
            catch (Exception error)
            {
                return error;
            }
            finally
            {
                (holder as IDisposable)?.Dispose();
            }
        }
    }
}
