using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;

namespace Flagstore.Tests
{
    /// <summary>A part of a test that has a process of its own: a public static method of a class of this assembly.</summary>
    internal sealed class Child
    {
        private Child(int status, string output)
        {
            Status = status;
            Output = output;
        }

        internal int Status { get; }

        /// <summary>Standard output, then standard error.</summary>
        internal string Output { get; }

        /// <summary>The variable with the library under test.</summary>
        internal static Dictionary<string, string> WithLibrary =>
            new Dictionary<string, string> { { "FLAGSTORE_LIBRARY", Endpoint.Library } };

        internal static int Be(string method, string[] arguments)
        {
            int dot = method.LastIndexOf('.');
            Type type = typeof(Child).GetTypeInfo().Assembly.GetType("Flagstore.Tests." + method.Substring(0, dot));
            try
            {
                type.GetMethod(method.Substring(dot + 1)).Invoke(null, new object[] { arguments });
                return 0;
            }
            catch (TargetInvocationException error)
            {
                Console.WriteLine(error.InnerException);
                return 1;
            }
        }

        /// <summary>Runs a method in another process. Of the variables that the library looks at it has those given.</summary>
        internal static Child Run(string method, Dictionary<string, string> environment, params string[] arguments)
        {
            string program = typeof(Child).GetTypeInfo().Assembly.Location;
            return Program(Runtime, new[] { program, "--child", method }.Concat(arguments), environment);
        }

        /// <summary>The program that runs this process: mono or dotnet.</summary>
        internal static string Runtime
        {
            get
            {
                string running = Process.GetCurrentProcess().MainModule.FileName;
                return OnMono ? "mono" : running;
            }
        }

        internal static bool OnMono => Type.GetType("Mono.Runtime") != null;

        internal static Child Program(string program, IEnumerable<string> arguments, Dictionary<string, string> environment)
        {
            var start = new ProcessStartInfo(program, string.Join(" ", arguments.Select(argument => "\"" + argument + "\"")))
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                RedirectStandardInput = true,
            };
            start.Environment.Remove("FLAGSTORE_LIBRARY");
            foreach (KeyValuePair<string, string> variable in environment) start.Environment[variable.Key] = variable.Value;
            using (Process process = Process.Start(start))
            {
                process.StandardInput.Close();
                var errors = new StringBuilder();
                process.ErrorDataReceived += (sender, line) => errors.AppendLine(line.Data);
                process.BeginErrorReadLine();
                var output = process.StandardOutput.ReadToEndAsync();
                if (!process.WaitForExit(60000))
                {
                    process.Kill();
                    return new Child(-1, "killed by the watchdog after 60 s: " + errors);
                }
                // Once more without a limit: until then lines may be missing.
                process.WaitForExit();
                return new Child(process.ExitCode, (output.Result + errors).Trim());
            }
        }

        internal Child Succeeded()
        {
            if (Status != 0) throw new CheckException("ended with " + Status + ": " + Output);
            return this;
        }
    }
}
